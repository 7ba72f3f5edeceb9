#!/bin/sh
# image.sh FILE [MIB]: a disk image as people drop them: a partition table, a FAT filesystem to boot from
# and an ext4 one with a small system's files. Needs no root and no loop device. The rest of it is holes.
set -eu

file=$1
mib=${2:-64}
PATH=$PATH:/usr/sbin:/sbin

boot_mib=$((mib / 4))
root_mib=$((mib - boot_mib - 2))
[ "$root_mib" -ge 8 ] || { echo "image.sh: $mib MiB is too small" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# What lies on the partitions: a bootloader's texts and some bulk; some of this system's own files.
mkdir -p "$work/boot/overlays" "$work/root/etc" "$work/root/usr/share" "$work/root/var/log"
echo "arm_64bit=1" >"$work/boot/config.txt"
echo "console=serial0,115200 root=/dev/mmcblk0p2 rootwait" >"$work/boot/cmdline.txt"
head -c $((boot_mib * 1024 * 1024 / 2)) /dev/urandom >"$work/boot/kernel8.img"
cp /etc/os-release /etc/passwd "$work/root/etc/"
cp -r /usr/share/common-licenses "$work/root/usr/share/"
head -c $((root_mib * 1024 * 1024 / 3)) /dev/urandom >"$work/root/var/log/journal"

rm -f "$file"
truncate -s "${mib}M" "$file"
sfdisk --quiet "$file" <<TABLE
label: dos
start=1MiB, size=${boot_mib}MiB, type=c, bootable
start=$((boot_mib + 1))MiB, size=${root_mib}MiB, type=83
TABLE

# --offset is in sectors, -E offset in bytes; both sizes are in KiB. mkfs.vfat wonders at the rest of the file.
mkfs.vfat -n BOOT --offset=2048 "$file" $((boot_mib * 1024)) >"$work/mkfs" 2>&1 || {
	cat "$work/mkfs" >&2
	exit 1
}
mcopy -s -i "$file@@1M" "$work"/boot/* ::
mkfs.ext4 -q -F -L root -d "$work/root" -E offset=$(((boot_mib + 1) * 1024 * 1024)) "$file" \
	$((root_mib * 1024))k
