#!/usr/bin/env bash
# Cuts the power of file systems while flagstage writes to them: shuts an ext4
# and an XFS file system down without a flush of their journals, mounts them
# again, and looks for what was acknowledged and is gone.
#
#   faults/powercut.sh [CYCLES]
#
# A store of the durability "never" is cut too: it must lose something, or the
# cuts are none, but nothing may be half there.
#
# It needs root, loop devices, mkfs.ext4 and mkfs.xfs. The exit status is 0 if
# all is as it must be, 1 if not, and 77 if power cuts cannot be tried.
set -euo pipefail
cd "$(dirname "$0")"
cycles=${1:-20}

cannot() {
  echo "powercut: $*" >&2
  exit 77
}

[ "$(uname)" = Linux ] || cannot 'this runs on Linux only'
[ "$(id -u)" = 0 ] || cannot 'only root can mount file systems'
command -v mkfs.ext4 >/dev/null || cannot 'mkfs.ext4 is missing: apt-get install e2fsprogs'
command -v mkfs.xfs >/dev/null || cannot 'mkfs.xfs is missing: apt-get install xfsprogs'
losetup --find >/dev/null 2>&1 || cannot 'there is no free loop device'

work=$(mktemp -d)
trap 'umount "$work/mount" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/mount"
go build -o "$work/faults" .

broken=0
printf '\nThe power is cut while flagstage writes\n\n'
printf '| file system | durability | power cuts | acknowledged | compacted | lost | torn | revisions out of order | cannot be opened |\n'
printf '|-------------|------------|-----------:|-------------:|----------:|-----:|-----:|-----------------------:|-----------------:|\n'
try() { # FILE SYSTEM, DURABILITY
  local kind=$1 durability=$2 cycle status found acks compactions gone parts order
  local acknowledged=0 compacted=0 lost=0 torn=0 disordered=0 refused=0 before
  truncate --size 512M "$work/disk"
  "mkfs.$kind" -q "$work/disk" 2>"$work/complaint" || cannot "mkfs.$kind: $(cat "$work/complaint")"
  mount -o loop "$work/disk" "$work/mount" 2>"$work/complaint" || cannot "$(cat "$work/complaint")"
  for ((cycle = 1; cycle <= cycles; cycle++)); do
    if ((cycle % 5 == 1)); then # a new file, so that its creation is cut too
      store=$work/mount/store-$cycle.db log=$work/log-$kind-$durability-$cycle
      : >"$log"
      before=($acknowledged $compacted $lost $torn $disordered)
    fi
    timeout 120 "$work/faults" writers -path "$store" -durability "$durability" -seed "$cycle" >>"$log" 2>"$work/complaint" &
    writers=$!
    sleep "$(printf '0.%03d' $((RANDOM % (cycle % 2 ? 100 : 1000))))"
    "$work/faults" shutdown "$work/mount" "$log"
    status=0
    wait "$writers" || status=$?
    if [ "$status" != 1 ]; then # they must end because the disk fails
      echo "powercut: the writers ended with status $status: $(head -c 2000 "$work/complaint")" >&2
      exit 1
    fi
    umount "$work/mount"
    mount -o loop "$work/disk" "$work/mount"
    if ! found=$("$work/faults" verify -path "$store" -log "$log" 2>"$work/complaint"); then
      echo "powercut: $kind, cycle $cycle: $(head -c 2000 "$work/complaint")" >&2
      refused=$((refused + 1))
      break
    fi
    read -r acks compactions gone parts order <<<"$found" # of this file
    acknowledged=$((before[0] + acks)) compacted=$((before[1] + compactions)) lost=$((before[2] + gone))
    torn=$((before[3] + parts)) disordered=$((before[4] + order))
  done
  umount "$work/mount"
  rm "$work/disk"
  printf '| %s | %s | %d | %d | %d | %d | %d | %d | %d |\n' "$kind" "$durability" \
    "$((cycle > cycles ? cycles : cycle))" "$acknowledged" "$compacted" "$lost" "$torn" "$disordered" "$refused"
  ((acknowledged > 0 && torn + disordered + refused == 0)) || broken=1
  if [ "$durability" = always ]; then
    ((lost == 0)) || broken=1
  else
    ((lost > 0)) || broken=1
  fi
}

for kind in ext4 xfs; do
  for durability in always never; do
    try "$kind" "$durability"
  done
done
exit $broken
