"""Runs Lambda functions as processes of this machine, with AWS's own runtime client and Runtime API.

`runtime_process` is the process with the Runtime API that it calls, `execution_environment` what AWS keeps around it (init, invoke,
time-outs, exits) and the pool of warm ones, `function_logs` its logs, `sqs_mapping` the polling of a queue. They need neither LocalEmu
nor AWS. `version_manager` and `mapping_worker` attach them to LocalEmu's Lambda.
"""
