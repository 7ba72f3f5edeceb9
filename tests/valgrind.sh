#!/bin/sh
# The valgrind setup's wrapper. A compiled test runs under valgrind; a script runs as it is, and puts cm4fs
# under valgrind by CM4FS_WRAPPER. Leaks count, and so does a descriptor left open.
valgrind="valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect,possible
	--errors-for-leak-kinds=definite,indirect,possible --track-fds=yes"
libfuse=--suppressions=$(cd "$(dirname "$0")" && pwd)/valgrind.supp

case $1 in
*.py | *.sh | *python*)
	CM4FS_WRAPPER="$valgrind '$libfuse'" exec "$@"
	;;
*)
	exec $valgrind "$libfuse" "$@"
	;;
esac
