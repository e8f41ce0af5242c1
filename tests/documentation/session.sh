# shellcheck shell=bash
# How a block is run: `bash session.sh BLOCK STATE`. What it exports and where it ends is written into the folder STATE, where the
# next block of the page finds it, as in one terminal. A line that fails ends the block and reports its place.
set -E -e -o pipefail
_block=$1 _state=$2
set --

# shellcheck source=/dev/null
[ ! -f "$_state/exports" ] || . "$_state/exports"
[ ! -f "$_state/folder" ] || cd "$(cat "$_state/folder")"
trap 'export -p > "$_state/exports"; pwd > "$_state/folder"' EXIT
trap '_told "$?" "$LINENO" "$BASH_COMMAND"' ERR

# The block's own line, however deep in the functions below a command failed; once, though each of them fails with it.
_told() {
  local code=$1 line=$2 command=$3 place
  for place in "${!BASH_SOURCE[@]}"; do
    if [ "${BASH_SOURCE[$place]}" = "$_block" ]; then
      [ "$place" -le 1 ] || line=${BASH_LINENO[$place - 1]}
      echo "$_block:$line ended with $code: $command" >&2
      exit "$code"
    fi
  done
}

make() {
  command make --dry-run "$@"
}

couch() {
  if [ "$1" = lab ]; then
    python -m tests.documentation.until_it_answers couch "$@"
  else
    command couch "$@"
  fi
}

# shellcheck source=/dev/null
. "$_block"
