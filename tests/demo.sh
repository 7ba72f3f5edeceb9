#!/bin/sh
# A first look, on a fresh Debian 12: builds cm4fs, mounts a simulated Compute Module, copies a real disk
# image onto it with cp, and compares the simulated eMMC with the image from outside.
set -eu

cd "$(dirname "$0")/.."
. tests/packages.sh
need $packages_build $packages_demo

say()
{
	printf '\n\033[1m%s\033[0m\n' "$*"
}

# show COMMAND...: prints it as a person would type it, and runs it.
show()
{
	printf '$ %s\n' "$*"
	"$@"
}

work=$(mktemp -d)
mnt=$work/mnt
image=$work/my-system.img
copy=
mkdir "$mnt" "$work/media"

clean_up()
{
	status=$?
	trap - EXIT HUP INT TERM
	[ -z "$copy" ] || kill "$copy" 2>/dev/null || :
	fusermount3 -q -u -z "$mnt" 2>/dev/null || :
	rm -rf "$work"
	[ "$status" -eq 0 ] || echo "The demonstration did not end well (status $status)." >&2
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM

say "Building cm4fs (build/)"
[ -f build/build.ninja ] || quietly meson setup build
quietly ninja -C build fs/cm4fs

say "Making a disk image: partition table, FAT, ext4, real files"
sh tests/image.sh "$image" 256
sfdisk -l "$image" | sed -n '/Device/,$p'

say "Mounting one simulated module"
show build/fs/cm4fs --simulate="dir=$work/media" "$mnt"
show ls "$mnt"
module=$(jq -r '.modules[0].serial' "$mnt/status.json")
show ls "$mnt/$module"

say "Copying the image onto it; the module is booted first"
echo "\$ cp $image $mnt/$module/"
cp "$image" "$mnt/$module/" &
copy=$!
while kill -0 "$copy" 2>/dev/null; do
	jq -r '"\(.state)\t\(if .image then "\(.image.bytes_written / 1048576 | floor) of \(
		(.image.bytes_total // .disks[0].bytes) / 1048576 | floor) MiB, \(
		.image.bytes_per_second / 1000000 | floor) MB/s" else "" end)"' "$mnt/$module/status.json"
	sleep 1
done
wait "$copy"
copy=
echo "cp says: $?"

say "What the module says of itself"
show cat "$mnt/$module/DETAILS.TXT"

say "The simulated eMMC, seen from outside, and the file read back"
show cmp -n "$(stat -c %s "$image")" "$image" "$work/media/$module-mmcblk0.img"
show cmp "$image" "$mnt/$module/${image##*/}"
echo "Both are the image, byte for byte."

say "Unmounting"
show fusermount3 -u "$mnt"
