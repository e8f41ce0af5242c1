#!/usr/bin/env bash
# Runs the client against a stand-in of SQS, notes which classes the runs need, and stores these ready-made in an archive.
#
#   train.sh JAR FOLDER
#
# FOLDER (/opt/client in the image) holds runtime/, from build_runtime.sh, and afterwards client.jar, client.jsa and
# java.options too. The archive knows the jar by its path, so FOLDER is where all of this must stay.
set -euo pipefail

jar=${1:?"name the client: train.sh JAR FOLDER"}
folder=$(cd "${2:?"name the folder that holds runtime/: train.sh JAR FOLDER"}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

java=$folder/runtime/bin/java
archive=$folder/client.jsa
main_class=no.couchexplorers.imagegenerator.ImageGenerator
password=training
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  printf 'train.sh: %s\n' "$*" >&2
  exit 1
}

place_client() {
  java --add-exports java.base/jdk.internal.org.objectweb.asm=ALL-UNNAMED "$here/DropLocalNames.java" "$jar" "$folder/client.jar"
  sed "s|/opt/client|$folder|g" "$here/java.options" >"$folder/java.options"
  chmod 644 "$folder/client.jar" "$folder/java.options"
  reset_times
}

# The JVM notes the jar's time in the archive and refuses the archive when the jar has another one, except for time 0, which it
# takes for unknown. So whatever a builder or a registry does to the times of a layer, the archive stays in use.
reset_times() {
  find "$folder" -exec touch --no-dereference --date=@0 {} +
}

# Two servers, one with an RSA and one with an ECDSA certificate, both signed by an authority as AWS's are: a certificate that is
# trusted by itself would leave out most of the work. The trust store is the runtime's own, plus this authority.
make_certificates() {
  local algorithm
  keys -genkeypair -alias authority -keyalg RSA -dname CN=authority -ext bc:c
  keys -exportcert -alias authority -rfc >"$work/authority.pem"
  for algorithm in RSA EC; do
    keys -genkeypair -alias "$algorithm" -keyalg "$algorithm" -dname "CN=$algorithm"
    keys -certreq -alias "$algorithm" >"$work/request"
    keys -gencert -alias authority -infile "$work/request" -ext san=ip:127.0.0.1 >"$work/certificate"
    keys -importcert -alias "$algorithm" -file "$work/certificate"
  done
  install -m 600 "$folder/runtime/lib/security/cacerts" "$work/trust"
  quietly keytool -importcert -noprompt -alias training -file "$work/authority.pem" -keystore "$work/trust" -storepass changeit
}

keys() {
  quietly keytool "$@" -keystore "$work/keys" -storepass "$password"
}

# What a program writes to its standard error is shown only when it fails.
quietly() {
  "$@" 2>"$work/said" || fail "$1 failed: $(cat "$work/said")"
}

# The server ends when this script does, since its standard input then ends.
start_server() {
  coproc java -XX:TieredStopAtLevel=1 "$here/TrainingServer.java" "$work/keys" "$password" RSA EC
  read -r http_port rsa_port ec_port <&"${COPROC[0]}" || fail "the training server did not start."
  http=http://127.0.0.1:$http_port
  rsa=https://127.0.0.1:$rsa_port
  ec=https://127.0.0.1:$ec_port
}

# train EXIT_CODE ARGUMENT...: runs the client and notes its classes.
train() {
  local expected=$1 status=0
  "$java" -Xshare:off -XX:DumpLoadedClassList="$(mktemp "$work/classes.XXXXXX")" -Djavax.net.ssl.trustStore="$work/trust" \
    "@$folder/java.options" "$main_class" "${@:2}" <"$work/prompts" >"$work/said" 2>&1 || status=$?
  [ "$status" -eq "$expected" ] || fail "the client ended with $status, not $expected, on ${*:2}: $(cat "$work/said")"
}

run_client() {
  local variable url account=000000000000
  for variable in ${!AWS_*} ${!SQS_*} {http,https,all}_proxy {HTTP,HTTPS,ALL}_PROXY JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS; do
    unset "$variable"
  done
  export HOME=$work AWS_EC2_METADATA_DISABLED=true
  printf 'A jeep on the savanna\n{"prompt": "Me on top of K2", "seed": 7}\nAnd again\n%s' \
    "$(printf 'A fjord at %s hours\n' {1..12})" >"$work/prompts"

  train 0 --help
  train 0 --version
  train 2
  train 2 "Me on top of K2"
  SQS_QUEUE_URL='jobs' train 2 "Me on top of K2"
  SQS_QUEUE_URL=$http/$account/jobs train 2 --file "$work/nothing"
  SQS_QUEUE_URL=$http/$account/jobs train 1 "Me on top of K2"

  export AWS_ACCESS_KEY_ID=training AWS_SECRET_ACCESS_KEY=training
  for url in "$http" "$rsa" "$ec"; do
    SQS_QUEUE_URL=$url/$account/jobs train 0 "Me on top of K2"
    SQS_QUEUE_URL=$url/$account/jobs train 0 --file "$work/prompts"
  done
  SQS_QUEUE_URL=$http/$account/jobs train 0 "Meg på toppen av Galdhøpiggen"
  SQS_QUEUE_URL=$http/$account/jobs train 0 --json --file -
  SQS_QUEUE_URL=$http/$account/missing train 1 "Me on top of K2"
  SQS_QUEUE_URL=$http/$account/denied train 1 "Me on top of K2"
  SQS_QUEUE_URL=http://127.0.0.1:1/$account/jobs train 1 "Me on top of K2"
  # An endpoint of AWS is found by other rules than one that is given. Its name is in no file, so nothing leaves this machine.
  touch "$work/hosts"
  JAVA_TOOL_OPTIONS=-Djdk.net.hosts.file=$work/hosts SQS_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/$account/jobs \
    train 1 "Me on top of K2"
}

# Left out: proxies, whose classes exist only while the client runs (each would be looked for in vain, and the exception leaves
# an address of this JVM in the archive), and events of a recorder that is not there. Sorted, so that threads which take turns
# leave the list as it is.
merge_classes() {
  cat "$work"/classes.* | grep --invert-match --extended-regexp '^#|^jdk/proxy|^com/sun/proxy/|^jdk/internal/event/' \
    | LC_ALL=C sort --unique
}

# Threads of the JVM race for which of them loads a class first, and that shows in the archive. On one processor and in long turns
# the same one wins most of the time; an archive that came out twice is taken for the usual one.
dump() {
  local processor attempt again
  processor=$(taskset --cpu-list --pid $$ | sed 's/.*: *\([0-9]*\).*/\1/')
  for attempt in {1..6}; do
    quietly taskset --cpu-list "$processor" chrt --batch 0 "$java" -Xshare:dump -XX:SharedClassListFile="$work/classes" \
      "@$folder/java.options" -XX:SharedArchiveFile="$work/archive.$attempt"
    again=$(sha256sum "$work"/archive.* | sort | uniq --check-chars=64 --repeated | cut --characters=67-)
    [ -z "$again" ] || break
  done
  install -m 644 "${again:-$work/archive.$attempt}" "$archive"
}

# -Xshare:on ends the JVM where an archive does not fit; the client's own class tells that its part is used too.
prove() {
  "$java" -Xshare:on "@$folder/java.options" -Xlog:class+load:file="$work/loaded" "$main_class" --version
  grep --quiet "$main_class source: shared objects file" "$work/loaded" || fail "the client's classes do not come from the archive."
}

place_client
make_certificates
start_server
run_client
merge_classes >"$work/classes"
dump
prove
reset_times
