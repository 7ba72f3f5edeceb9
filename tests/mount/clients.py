"""What people copy images with, as a table: the words, and what becomes of each in every kind of trouble.

The words are shell, with $src the image (wrapped in every way beside it), $dst its place, $url the image on the
network, $python and $imitate the programs that cannot be run here; in a temporary directory of its own.

What is expected is DEFAULT, column by column, and then what the client's habits make of it. Columns are cells.py's.
"""

import collections
import dataclasses

# exit: 0, error or killed. medium: whole, no start or untouched. type: FAIL.TXT's, or None. left: the files.
Outcome = collections.namedtuple("Outcome", "exit medium state type left")

NAME, PART, TEMPORARY = "image.img", "image.img.part", "a temporary file"

DEFAULT = {
    "good": Outcome(0, "whole", "done", None, (NAME,)),
    "large": Outcome("error", "untouched", "failed", "user", (NAME,)),
    "write": Outcome("error", "no start", "failed", "media", (NAME,)),
    "proof": Outcome("error", "no start", "failed", "media", (NAME,)),
    "kill": Outcome("killed", "no start", "incomplete", "user", (NAME,)),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Habit:
    """What a client does otherwise than most, and what that makes of its outcomes: column, or (column, place)."""
    why: str
    outcomes: dict = dataclasses.field(default_factory=dict)
    ignores_errors: bool = False
    places: tuple = ("new", "existing")  # others are not asked of it


NOTHING, OLD = {"left": ()}, {"left": (NAME,)}

CARELESS = Habit("ignores an error of close(), and that is where a failing proof is told", {"proof": {"exit": 0}},
                 ignores_errors=True)
DEAF = Habit("ignores every error", {column: {"exit": 0} for column in ("large", "write", "proof")},
             ignores_errors=True)
IN_PLACE = Habit("does not empty a file that is there, but writes over it, which takes away the old image's start",
                 {("large", "existing"): {"medium": "no start"}})
ASIDE = Habit("writes a temporary file, renames it at the end, and removes it if that fails", {
    ("large", "new"): NOTHING, "write": NOTHING, "proof": NOTHING, "kill": {"left": (TEMPORARY,)}})
ASIDE_DIRECTORY = Habit("writes into a temporary directory, and leaves that where it fails", {
    ("large", "new"): {"left": (TEMPORARY,)}, ("large", "existing"): {"left": (NAME, TEMPORARY)},
    "write": {"left": (TEMPORARY,)}, "proof": {"left": (TEMPORARY,)}, "kill": {"left": (TEMPORARY,)}})
KEEPS_PART = Habit("writes a temporary file, and gives it the name at the end, be it whole or not",
                   {"kill": {"left": (TEMPORARY,)}})
REMOVES = Habit("removes what it could not write", {"large": NOTHING, "write": NOTHING, "proof": NOTHING})
REMOVES_LATE = Habit("removes what it could not close", {"proof": NOTHING})
GLIB = Habit("puts a temporary file in the place of one that is there", {
    ("write", "existing"): NOTHING, ("kill", "existing"): {"left": (TEMPORARY,)}})
KIO = Habit("writes NAME.part where the name is taken, and removes what it could not write", {
    ("large", "new"): NOTHING, "write": NOTHING, "proof": NOTHING, ("kill", "existing"): {"left": (PART,)}})
NEW_ONLY = Habit("leaves out zeros, and does not empty a file that is there: the old one's bytes stay in the holes, "
                 "as on every filesystem", places=("new",))
OLD_ONLY = Habit("wants a file that is there, and as large as the image", places=("existing",))


@dataclasses.dataclass(frozen=True)
class Client:
    name: str
    words: str
    habits: tuple = ()

    def expected(self, column, place):
        outcome = DEFAULT[column]
        for habit in self.habits:
            for key in (column, (column, place)):
                outcome = outcome._replace(**habit.outcomes.get(key, {}))
        return outcome

    def takes(self, place):
        return all(place in habit.places for habit in self.habits)

    def ignores_errors(self):
        return any(habit.ignores_errors for habit in self.habits)


# Those that a host may not have.
PROGRAMS = ["rsync", "gio", "qemu-img", "bmaptool", "unzip", "zstd", "curl", "wget", "busybox", "ddrescue", "pv",
            "aria2c", "xz", "xzcat"]

CLIENTS = [Client(name, words, habits) for name, words, *habits in [
    ("cp", 'cp "$src" "$dst"'),
    ("cp --reflink=auto", 'cp --reflink=auto "$src" "$dst"'),
    ("cp --sparse=always", 'cp --sparse=always "$src" "$dst"'),
    ("cp --sparse=never", 'cp --sparse=never "$src" "$dst"'),
    ("cp -p", 'cp -p "$src" "$dst"'),
    ("cp -a", 'cp -a "$src" "$dst"'),
    ("cp -f", 'cp -f "$src" "$dst"'),
    ("cp -b", 'cp -b "$src" "$dst"'),
    ("cp --remove-destination", 'cp --remove-destination "$src" "$dst"'),
    ("mv", 'cp "$src" . && mv image.img "$dst"'),
    ("install", 'install "$src" "$dst"'),
    ("cat >", 'cat "$src" >"$dst"'),
    ("(cat; cat) >", '(head -c 5000001 "$src"; tail -c +5000002 "$src") >"$dst"'),
    ("head >, tail >>", 'head -c 2000001 "$src" >"$dst"; tail -c +2000002 "$src" >>"$dst"'),
    ("pv >", 'pv -q "$src" >"$dst"', CARELESS),
    ("gzip -dc >", 'gzip -dc "$src.gz" >"$dst"'),
    ("zcat | dd", 'zcat "$src.gz" | dd of="$dst" bs=4M iflag=fullblock status=none'),
    ("xzcat >", 'xzcat "$src.xz" >"$dst"'),
    ("zstd -o", 'zstd -dqf "$src.zst" -o "$dst"', REMOVES_LATE),
    ("tee", 'tee "$dst" <"$src" >copy'),
    ("dd bs=4M", 'dd if="$src" of="$dst" bs=4M status=none'),
    ("dd conv=fsync", 'dd if="$src" of="$dst" bs=1M conv=fsync status=none'),
    ("dd conv=sparse", 'dd if="$src" of="$dst" bs=1M conv=sparse status=none'),
    ("dd conv=notrunc", 'dd if="$src" of="$dst" bs=1M conv=notrunc status=none', IN_PLACE),
    ("dd oflag=direct", 'dd if="$src" of="$dst" bs=4M oflag=direct status=none'),
    ("dd oflag=sync", 'dd if="$src" of="$dst" bs=4M oflag=sync status=none'),
    ("dd bs=33333", 'dd if="$src" of="$dst" bs=33333 status=none'),
    ("dd, dd seek=", 'dd if="$src" of="$dst" bs=1M count=2 status=none 2>first;'
                     ' dd if="$src" of="$dst" bs=1M skip=2 seek=2 status=none'),
    ("busybox cp", 'busybox cp "$src" "$dst"'),
    ("busybox dd", 'busybox dd if="$src" of="$dst" bs=1M 2>/dev/null'),
    ("rsync", 'rsync "$src" "$dst"', ASIDE),
    ("rsync -a", 'rsync -a "$src" "$dst"', ASIDE),
    ("rsync -W", 'rsync -W "$src" "$dst"', ASIDE),
    ("rsync -P", 'rsync -P "$src" "$dst"', KEEPS_PART),
    ("rsync --partial", 'rsync --partial "$src" "$dst"', KEEPS_PART),
    ("rsync -S", 'rsync -S "$src" "$dst"', ASIDE),
    ("rsync --inplace", 'rsync --inplace "$src" "$dst"', IN_PLACE),
    ("rsync --inplace -S", 'rsync --inplace -S "$src" "$dst"'),
    ("rsync --inplace --no-whole-file", 'rsync --inplace --no-whole-file "$src" "$dst"', IN_PLACE),
    ("rsync --append", 'head -c 2000001 "$src" >"$dst"; rsync --append "$src" "$dst"'),
    ("rsync --preallocate", 'rsync --preallocate "$src" "$dst"', ASIDE),
    ("rsync --delay-updates", 'rsync --delay-updates "$src" "$dst"', ASIDE_DIRECTORY),
    ("rsync --fsync", 'rsync --fsync "$src" "$dst"', ASIDE),
    ("curl -o", 'curl -sS -o "$dst" "$url"'),
    ("curl | xz -dc >", 'curl -sS "$url.xz" | xz -dc >"$dst"'),
    ("wget -O", 'wget -q -O "$dst" "$url"'),
    ("aria2c", 'aria2c -q --auto-save-interval=0 --allow-overwrite -d "${dst%/*}" -o "${dst##*/}" "$url"', CARELESS),
    ("rclone", '"$python" "$imitate" rclone "$src" "$dst"', REMOVES),
    ("shutil.copyfile", '"$python" -c "import shutil, sys; shutil.copyfile(*sys.argv[1:])" "$src" "$dst"'),
    ("shutil.copy", '"$python" -c "import shutil, sys; shutil.copy(*sys.argv[1:])" "$src" "$dst"'),
    ("shutil.copy2", '"$python" -c "import shutil, sys; shutil.copy2(*sys.argv[1:])" "$src" "$dst"'),
    ("open().write, never closed", '"$python" "$imitate" python "$src" "$dst"', CARELESS),
    ("tar -x", 'tar -xf "$src.tar" -C "${dst%/*}"'),
    ("tar -xO >", 'tar -xOf "$src.tar" >"$dst"', CARELESS),
    ("unzip -d", 'unzip -qo "$src.zip" -d "${dst%/*}"', CARELESS),
    ("unzip -p >", 'unzip -p "$src.zip" >"$dst"', DEAF),
    ("gio copy", 'gio copy "$src" "$dst"', GLIB),
    ("gio save", 'gio save "$dst" <"$src"', GLIB),
    ("KIO", '"$python" "$imitate" kio "$src" "$dst"', KIO),
    ("mc", '"$python" "$imitate" mc "$src" "$dst"'),
    ("bmaptool copy", 'bmaptool -q copy --bmap "$src.bmap" "$src" "$dst"'),
    ("bmaptool copy --nobmap", 'bmaptool -q copy --nobmap "$src" "$dst"'),
    ("ddrescue", 'ddrescue -q --force "$src" "$dst" map', IN_PLACE),
    ("ddrescue -S", 'ddrescue -q --force -S "$src" "$dst" map', NEW_ONLY),
    ("ddrescue -p", 'ddrescue -q --force -p "$src" "$dst" map'),
    ("qemu-img convert", 'qemu-img convert -f raw -O raw "$src" "$dst"', CARELESS),
    ("qemu-img convert -n", 'truncate -s "$(stat -c %s "$src")" "$dst" &&'
                            ' qemu-img convert -n -f raw -O raw "$src" "$dst"', OLD_ONLY),
    ("qemu-img dd", 'qemu-img dd -f raw -O raw bs=1M if="$src" of="$dst"', CARELESS),
]]
