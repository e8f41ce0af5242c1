# shellcheck shell=bash
# What the pages presuppose, made once before the first is read.

# A job that somebody looks up by its id.
curl --silent --show-error --fail-with-body -X POST "$(couch status --json | python -c 'import json, sys; print(json.load(sys.stdin)["api_url"])')" \
  -H 'Content-Type: application/json' -d '{"prompt": "A lighthouse above the clouds", "id": "lighthouse", "size": "512x512"}'

# A file of prompts, one a line.
printf '%s\n' "me on top of K2" "me on top of a pyramid" > prompts.txt

# The images that were built, or pulled from where docker_publish.yml puts them.
if [ -n "$COUCH_DOCKER_IMAGES" ]; then
  docker build --tag couch-explorers-client java_sqs_client
  docker build --tag couchexplorers/couch-explorers-client java_sqs_client
fi
