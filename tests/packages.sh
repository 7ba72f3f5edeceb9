# Debian packages by what needs them, and a way to have them. Sourced by demo.sh and run.sh.

packages_build="gcc libc6-dev meson ninja-build pkg-config libfuse3-dev libarchive-dev libjansson-dev
	libssl-dev libcmocka-dev libudev-dev libusb-1.0-0-dev"
packages_demo="fuse3 python3 fdisk dosfstools mtools e2fsprogs jq"
packages_test="bmap-tools busybox clang-format curl gddrescue libglib2.0-bin mount qemu-utils rsync
	unzip util-linux valgrind wget xz-utils zip zstd"

# sfdisk and mkfs live where only root looks.
PATH=$PATH:/usr/sbin:/sbin

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
	$as_root apt-get update -qq
	$as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
