#!/usr/bin/env bash
# Builds the Java runtime of the image: what the client needs of the JDK, and what the JDK needs of the system beyond glibc.
#
#   build_runtime.sh FOLDER
#
# Asks for a JDK, binutils and dpkg; nothing of the client, so that a change of its code does not build this again.
set -euo pipefail

runtime=${1:?"name the folder to make: build_runtime.sh FOLDER"}
java_home=$(dirname "$(dirname "$(realpath "$(command -v jlink)")")")

# java.base is Java itself. Without jdk.crypto.ec no TLS to a server that has an ECDSA certificate. java.xml reads the answers
# of STS, for those who assume a role.
modules=java.base,jdk.crypto.ec,java.xml

# Parts of these modules that the client does not come to: XML but for its parser, keytool, messages in other languages.
xml='com/sun/org/apache'
unused_packages="$xml/(bcel|xalan|xpath|xml/internal/(dtm|res|serializ.*)|xerces/internal/(dom|impl/xpath|impl/xs|jaxp/datatype|jaxp/validation))/|sun/security/tools/keytool/"
unused_classes="($xml/xerces/internal/impl/msg|sun/launcher|sun/security)/.*_(de|es|fr|it|ja|ko|pt_BR|sv|zh_CN|zh_HK|zh_TW|en)[.]"

# The JDK's own tools and what only they use.
unused_files=(bin/keytool lib/classlist lib/jexec lib/jrt-fs.jar lib/libjsig.so lib/server/libjsig.so)

# What every image that is based on glibc has.
of_glibc='^(ld-linux.*|libc|libm|libdl|librt|libpthread)\.so'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  printf 'build_runtime.sh: %s\n' "$*" >&2
  exit 1
}

# A module must have every package that it declares, so the first class of each stays.
list_unused_classes() {
  local module
  for module in ${modules//,/ }; do
    jmod list "$java_home/jmods/$module.jmod" | sed --quiet "s|^classes/|/$module/|p" | LC_ALL=C sort \
      | awk -v packages="/($unused_packages)" -v classes="/($unused_classes)" '
        { package = $0; sub("[^/]*$", "", package) }
        $0 ~ classes || ($0 ~ packages && package == before)
        { before = package }'
  done
}

# What is zipped is small on disk, what is not gets smaller in a compressed layer; together they keep within the limits for both.
# Neither costs a run time, since its classes come from the archive.
link() {
  jlink --add-modules "$modules" --exclude-resources="@$work/unused" '--compress=2:filter=/java.base/**' \
    --strip-debug --no-man-pages --no-header-files --output "$runtime"
  (cd "$runtime" && rm -f "${unused_files[@]}")
  # --strip-debug leaves the symbols, which only a debugger reads.
  programs | xargs --null strip --strip-unneeded
}

programs() {
  find "$runtime" -type f \( -name '*.so' -o -name jspawnhelper -o -path '*/bin/*' \) -print0
}

# Debian's JDK links zlib and the C++ library, which an image without a package manager lacks; Temurin brings its own. The
# runtime's programs look for libraries in its lib folder first.
add_system_libraries() {
  local name path
  programs | xargs --null ldd | awk '$2 == "=>" { print $1, $3 }' | sort --unique >"$work/libraries"
  while read -r name path; do
    if [[ $name =~ $of_glibc || -n $(find "$runtime" -name "$name") ]]; then
      continue
    fi
    [ -f "$path" ] || fail "$name, which the JDK needs, is not on this system: install its package."
    cp --dereference "$path" "$runtime/lib/$name"
    add_licence "$path"
  done <"$work/libraries"
}

add_licence() {
  local package
  package=$(dpkg --search "*/$(basename "$(realpath "$1")")" | sed 's/[:,].*//; q')
  mkdir -p "$runtime/legal/$package"
  cp --dereference "/usr/share/doc/$package/copyright" "$runtime/legal/$package/" \
    || fail "the licence of $package is not in /usr/share/doc: its $1 may not be passed on without."
}

# In some JDKs the list of trusted certificates is a link to a file that the system makes, and may lack or leave empty.
check_trust() {
  local trusted
  trusted=$(keytool -list -keystore "$runtime/lib/security/cacerts" -storepass changeit 2>&1 | grep --count trustedCertEntry) || true
  [ "$trusted" -ge 50 ] || fail "the JDK trusts only $trusted certificates, and AWS's may be missing: install ca-certificates-java."
}

list_unused_classes >"$work/unused"
link
add_system_libraries
check_trust
"$runtime/bin/java" -XX:+UseSerialGC -version
