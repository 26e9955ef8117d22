package journal

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var killRounds = flag.Int("rounds", 20, "how often the child is killed")

// The child of the kill test has so many writers. Each writes its own keys,
// all of them with the same value, in one transaction after another.
const (
	killWriters = 4
	killKeys    = 8
)

// writeForParent writes until it is killed, and tells what was acknowledged.
func writeForParent(path string) {
	j, err := Open(path, Options{})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var mu, out sync.Mutex
	tell := func(words ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(words...) // one write
	}
	for w := range killWriters {
		go func() {
			random := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(w)))
			for {
				size := 1 << random.IntN(15)
				var ops []Op
				mu.Lock()
				number, err := j.Next()
				if err == nil {
					value := fmt.Sprintf("%d %s", number, strings.Repeat("x", size))
					for k := range killKeys {
						ops = append(ops, Op{Key: fmt.Sprintf("%d/%d", w, k), Value: value})
					}
					err = j.Apply(ops)
				}
				if err == nil && number%64 == 0 {
					err = j.Compact(nil)
				}
				mu.Unlock()
				if err == nil {
					err = j.Flush(number)
				}
				if err != nil {
					tell("error", err)
					return
				}
				tell(w, number)
			}
		}()
	}
	select {}
}

// TestKilledWriterLosesNothing kills a process that writes and compacts, again
// and again, and looks that nothing acknowledged is lost and nothing torn.
func TestKilledWriterLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	acknowledged := map[string]int64{} // by writer
	total, cut := 0, 0
	for range *killRounds {
		cmd, out := child(t, "write", path)
		timer := time.AfterFunc(time.Duration(5+rand.IntN(60))*time.Millisecond, func() {
			_ = cmd.Process.Kill() // it cannot have ended
		})
		for out.Scan() {
			writer, number, ok := strings.Cut(out.Text(), " ")
			n, err := strconv.ParseInt(number, 10, 64)
			require.True(t, ok && err == nil, out.Text())
			acknowledged[writer] = n
			total++
		}
		timer.Stop()
		_ = cmd.Wait() // killed

		j, err := Open(path, Options{})
		require.NoError(t, err)
		if j.Recovery().Tail != nil {
			cut++
		}
		is := content(t, j)
		for w := range killWriters {
			first := is[fmt.Sprintf("%d/0", w)]
			for k := range killKeys {
				require.Equal(t, first, is[fmt.Sprintf("%d/%d", w, k)], "a transaction is torn")
			}
			number, _, _ := strings.Cut(first, " ")
			n, _ := strconv.ParseInt(number, 10, 64)
			require.GreaterOrEqual(t, n, acknowledged[fmt.Sprint(w)], "an acknowledged transaction is lost")
		}
		require.NoError(t, j.Close())
	}
	t.Logf("%d rounds, %d transactions acknowledged, 0 lost, 0 torn, %d writes cut short", *killRounds, total, cut)
	require.Positive(t, total)
}
