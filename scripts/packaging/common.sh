# Shared by scripts/package and the scripts of this directory, and scripts/lib.sh with it. Not run by itself.
# shellcheck shell=bash
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# The oldest glibc that the programs run with: that of RHEL 7.
# shellcheck disable=SC2034 # used by those who source this
oldest_glibc=2.17

# Zig as linker and C compiler, which brings the symbols of old glibcs; the bill of materials.
packaging_python() {
    private_python packaging scripts/pins/packaging.txt
}

heddle_version() { sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$heddle_root/Cargo.toml"; }

# The time that goes into archives: the commit's, whenever and wherever they are made.
source_date_epoch() {
    if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
        printf '%s\n' "$SOURCE_DATE_EPOCH"
    else
        git -C "$heddle_root" log -1 --format=%ct 2>/dev/null ||
            die "the sources are no git checkout: they have no date" "set SOURCE_DATE_EPOCH to the seconds since 1970 at which they were released"
    fi
}
