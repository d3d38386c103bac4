# Shared by the scripts of this directory: `. "$(dirname "$0")/lib.sh"`. Not run by itself.
# shellcheck shell=bash

# A failure inside $(...) is a failure.
shopt -s inherit_errexit

heddle_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# Everything that is downloaded or made for tests; may be shared by several checkouts.
heddle_cache=${HEDDLE_CACHE_DIR:-$heddle_root/.cache}

# The releases the tests run on.
# shellcheck disable=SC2034 # used by those who source this
default_hadoop_version=3.3.6
# shellcheck disable=SC2034
default_flink_version=1.20.5

# Progress and errors go to stderr: stdout is for results that other programs read.
say() { printf '%s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$1" >&2
    shift
    for hint in "$@"; do printf 'hint: %s\n' "$hint" >&2; done
    exit 1
}

# with_lock NAME COMMAND...: one at a time on this machine, waiting for the others.
with_lock() {
    local name=$1
    shift
    mkdir -p "$heddle_cache/locks"
    (
        flock 9
        "$@" 9>&-
    ) 9>"$heddle_cache/locks/$name"
}

# need COMMAND PACKAGE: installs a Debian package when the command is missing and we may.
need() {
    command -v "$1" >/dev/null 2>&1 && return 0
    install_package "$2" && command -v "$1" >/dev/null 2>&1 && return 0
    die "the command \`$1\` is missing" "install the package that holds it (Debian: apt-get install $2), then run this again"
}

# install_package NAME...: false when it cannot be done here.
install_package() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
    say "installing $*"
    with_lock apt install_package_locked "$@" >&2
}

install_package_locked() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 && return 0
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# need_java: a JDK (with javac) and Maven.
need_java() {
    need javac default-jdk-headless
    need mvn maven
}

# maven ARGUMENTS...: quiet but for what went wrong; it writes colour codes whatever one tells it. A download
# whose checksum is not the repository's is a failure, and so is a jar that is not the one of scripts/pins.
maven() {
    check_maven_jars
    mvn -q -B -ntp -C "$@" 2>&1 | sed $'s/\e\\[[0-9;]*m//g; /^$/d' >&2
    check_maven_jars
}

# Checks the jars that Maven has downloaded, its own plugins included, as far as scripts/pins names them.
check_maven_jars() {
    local repository=$HOME/.m2/repository
    case ${MAVEN_OPTS:-} in
        *-Dmaven.repo.local=*)
            repository=${MAVEN_OPTS##*-Dmaven.repo.local=}
            repository=${repository%% *}
            ;;
    esac
    [ -d "$repository" ] || return 0
    local present digest jar
    present=$(cd "$repository" && while read -r digest jar; do
        [ ! -e "$jar" ] || printf '%s  %s\n' "$digest" "$jar"
    done <"$heddle_root/scripts/pins/maven.sha256")
    [ -n "$present" ] || return 0
    (cd "$repository" && sha256sum --check --quiet --strict <<<"$present" >&2) ||
        die "Maven's directory $repository holds a jar that is not the published one" "delete the files named above, then run this again"
}

# same_files DIRECTORY LIST: fails unless a directory holds exactly the files of a list of sha256sum. Without
# a list the files are taken as they come.
same_files() {
    if [ ! -e "$2" ]; then
        say "warning: there is no ${2#"$heddle_root/"}: the files are taken as they come"
        return 0
    fi
    diff <(cd "$1" && sha256sum -- * | LC_ALL=C sort) <(LC_ALL=C sort "$2") >&2 ||
        die "what was downloaded is not what ${2#"$heddle_root/"} names" "< is what came, > is what is expected"
}

# pinned NAME VERSION FILE: writes into FILE what pip has to download, with the hashes that scripts/pins has.
pinned() {
    local all=$heddle_root/scripts/pins/archives.txt
    awk -v wanted="$1==$2" '$1 == wanted || more { print; more = /\\$/ }' "$all" >"$3"
    if [ ! -s "$3" ]; then
        say "warning: scripts/pins/archives.txt has no hash of $1 $2: it is taken as it comes"
        printf '%s\n' "$1==$2" >"$3"
    fi
}

# private_python NAME [REQUIREMENTS]: prints the python of a virtual environment that has the packages of a
# file, which names each with its hash.
private_python() {
    local name=$1
    shift
    local dir=$heddle_cache/$name
    with_lock "$name" private_python_locked "$dir" "$@" >&2
    printf '%s\n' "$dir/bin/python"
}

private_python_locked() {
    local dir=$1 wanted=none
    shift
    need python3 python3
    [ $# -eq 0 ] || wanted=$(sha256sum <"$heddle_root/$1")
    [ -x "$dir/bin/python" ] && [ "$(cat "$dir/.packages" 2>/dev/null)" = "$wanted" ] && return 0
    rm -rf "$dir"
    if ! python3 -m venv "$dir" >/dev/null 2>&1; then
        rm -rf "$dir"
        install_package python3-venv || true
        python3 -m venv "$dir" || die "a Python virtual environment cannot be made" "Debian: apt-get install python3-venv"
    fi
    if [ $# -gt 0 ]; then
        say "installing the Python packages of $1"
        "$dir/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$heddle_root/$1"
    fi
    printf '%s\n' "$wanted" >"$dir/.packages"
}
