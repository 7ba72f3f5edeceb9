# Debian packages by what needs them, and ways to have them and be quiet about it. Sourced by demo.sh and run.sh.

packages_build="gcc libc6-dev meson ninja-build pkg-config libfuse3-dev libarchive-dev libblkid-dev
	libjansson-dev libssl-dev libexpat1-dev libcmocka-dev libudev-dev libusb-1.0-0-dev
	liblzma-dev zlib1g-dev libbz2-dev libzstd-dev liblz4-dev"
packages_demo="fuse3 python3 fdisk dosfstools mtools e2fsprogs jq"
packages_test="aria2 bmap-tools busybox-static clang-format curl gddrescue libglib2.0-bin mount pv qemu-utils rsync
	unzip util-linux valgrind wget xz-utils zip zstd"
# The virtual machine; its kernel is fetched, not installed (vm/kernel.py).
packages_vm="apt busybox-static cpio dmsetup fdisk kmod libc-bin mtools python3 qemu-system-x86 udev"

# sfdisk and mkfs live where only root looks.
PATH=$PATH:/usr/sbin:/sbin

# quietly COMMAND...: what it prints is shown only if it fails.
quietly()
{
	said=$(mktemp)
	"$@" >"$said" 2>&1 || {
		status=$?
		cat "$said" >&2
		rm -f "$said"
		return "$status"
	}
	rm -f "$said"
}

# need PACKAGE...: installs what is missing, as root or by sudo; asks the network for nothing else.
need()
{
	missing=
	for package in "$@"; do
		case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
		*' ok installed') ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0

	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || {
			echo "Missing:$missing. Run this as root, or install sudo." >&2
			return 1
		}
		as_root=sudo
	fi
	echo "Installing:$missing"
	quietly $as_root apt-get update
	quietly $as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends $missing
}
