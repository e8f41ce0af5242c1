"""Runs Lambda functions as processes of this machine, by AWS's own runtime client and Runtime API.

`runtime_api` is the server that a function's runtime talks to, `runtime_process` the process, `execution_environment` what AWS makes
of both: init, invoke, time-outs, exits and the platform's log lines. Those three need neither LocalEmu nor AWS. `function_pool`
keeps environments warm, `version_manager` and `sqs_mapping` attach all of it to LocalEmu's Lambda, `observers` tells the rest of the
local cloud about every invocation.
"""
