package journal

import (
	"fmt"
	"runtime"
	"time"
)

// Sync says when what was written is brought to the disk.
type Sync byte

// The ways to sync.
const (
	SyncAlways   Sync = iota // before Flush returns
	SyncInterval             // within a second
	SyncNever                // when the operating system sees fit, and at Close
)

// interval is how long SyncInterval waits.
const interval = time.Second

// Flush returns nil when the transaction of a number, and all before, are as
// safe as the journal's Sync promises. Transactions that wait at the same time
// share one sync. An error wraps [ErrUnknown]; the journal has failed then.
func (j *Journal) Flush(number int64) error {
	if j.storage == nil {
		return nil
	}
	var err error
	if j.sync == SyncAlways || number-j.synced.Load() >= maxUnsynced {
		err = j.syncTo(number)
	} else if failed := j.failed.Load(); failed != nil {
		err = *failed
	} else if j.sync == SyncInterval {
		j.syncSoon(number)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return nil
}

// syncSoon has what was written synced within the interval, if the group of a
// number is not on the disk yet. Should that fail, the next call says so.
func (j *Journal) syncSoon(number int64) {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.timer != nil || j.synced.Load() >= number {
		return
	}
	j.timer = time.AfterFunc(interval, func() {
		j.syncing.Lock()
		j.timer = nil // also if a sync under way has brought all to the disk
		j.syncing.Unlock()
		_ = j.syncTo(j.sequence.Load())
	})
}

// syncTo brings what was written to the disk, if the group of a number is not
// there yet. One of those that wait does it for all.
func (j *Journal) syncTo(number int64) error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	for j.synced.Load() < number {
		if err := j.failed.Load(); err != nil {
			return *err
		}
		if j.busy {
			j.synchronized.Wait()
			continue
		}
		j.stopTimer()
		j.busy = true
		j.syncing.Unlock()
		written := j.gather()
		err := j.file.Sync()
		if err != nil {
			err = j.fail(err)
		}
		j.syncing.Lock()
		j.busy = false
		if err == nil {
			j.synced.Store(written)
		}
		j.synchronized.Broadcast()
	}
	return nil
}

// gather lets those write first that are about to, such as those that the last
// sync has let go on, and returns the last group that was written.
func (j *Journal) gather() (written int64) {
	for range 16 {
		before := j.sequence.Load()
		runtime.Gosched()
		if written = j.sequence.Load(); written == before {
			break
		}
	}
	return written
}

// awaitSync waits until the file is not being synced. syncing is held.
func (j *Journal) awaitSync() {
	for j.busy {
		j.synchronized.Wait()
	}
}

// stopTimer makes nothing wait for a sync any more. syncing is held.
func (j *Journal) stopTimer() {
	if j.timer != nil {
		j.timer.Stop()
		j.timer = nil
	}
}
