#!/bin/busybox sh
# The machine's first program: the host's root, read-only under a layer of memory, and in there guest.py.
# What is to be run stands in two files of the shared directory: dir, the tests; case, the test.
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /host /layer /new
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module"; done </modules/order

nine=trans=virtio,version=9p2000.L,msize=524288
mount -t 9p -o "$nine,ro,cache=loose" host /host
mount -t tmpfs -o size=85% tmpfs /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /new

modules=/new/lib/modules/$(uname -r)
mkdir -p "$modules" /new/mnt/out /new/run /new/tmp
mount -t 9p -o "$nine,ro,cache=loose" modules "$modules"
mount -t 9p -o "$nine" out /new/mnt/out
for filesystem in proc sys dev; do mount --move /$filesystem /new/$filesystem; done
mount -t tmpfs -o mode=755 tmpfs /new/run
# Not over /tmp: the tests may lie there.
mkdir /new/run/tmp
mount -t tmpfs -o size=85%,mode=1777 tmpfs /new/run/tmp
mkdir -p /new/dev/pts /new/dev/shm
mount -t devpts devpts /new/dev/pts
mount -t tmpfs tmpfs /new/dev/shm

dir=$(cat /new/mnt/out/dir)
test=$(cat /new/mnt/out/case)
stty -F /new/dev/ttyS1 raw -echo
PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/run/tmp LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
	chroot /new /usr/bin/python3 "$dir/guest.py" "$test" >/new/dev/ttyS1 2>&1 </new/dev/null
echo $? >/new/mnt/out/status
poweroff -f
