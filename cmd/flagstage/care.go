package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/internal/escape"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// progress returns a function that prints how far a work is, at most once a
// second and not in the first.
func (p *program) progress(what string) flagstage.Progress {
	last := p.clock.Now()
	return func(done, total int64) {
		if now := p.clock.Now(); now.Sub(last) >= time.Second {
			last = now
			p.complain(fmt.Errorf("%s: %d %% of %s", what, done*100/max(total, 1), inBytes(total)))
		}
	}
}

// inBytes says a size.
func inBytes(n int64) string {
	if n < 10<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	size, unit := float64(n)/(1<<10), "KiB"
	for _, larger := range []string{"MiB", "GiB", "TiB"} {
		if size >= 1<<10 {
			size, unit = size/(1<<10), larger
		}
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}

// nothing refuses arguments where only flags are wanted.
func nothing(arguments []string) error {
	if len(arguments) > 0 {
		return usagef("%s is too much; only flags are wanted", strictjson.Quote(arguments[0]))
	}
	return nil
}

// onStore is the setup of a command that reads the file of a store and has no
// argument.
func onStore(do func(p *program, db, format string, stats flagstage.StoreStats) error) func(*program, *flag.FlagSet) func([]string) error {
	return func(p *program, set *flag.FlagSet) func([]string) error {
		db, format := dbFlag(set, ""), formatFlag(set)
		return func(arguments []string) error {
			if err := cmp.Or(nothing(arguments), checkFormat(*format)); err != nil {
				return err
			}
			if err := exists(*db); err != nil {
				return err
			}
			stats, err := flagstage.VerifyStore(p.ctx, *db, p.progress("read"))
			if err != nil {
				return err
			}
			return do(p, *db, *format, stats)
		}
	}
}

var verifyCommand = command{
	name: "store verify", arguments: "--db PATH [--format text|json]",
	summary: "check every byte of a store",
	help: `Reads the whole file of a store, which may be in use, and checks every byte of
it. Nothing is changed. The exit status is 1 if the file is damaged; the first
damage is named. A write that is under way, or was cut short, is no damage.
`,
	setup: onStore(func(p *program, db, format string, stats flagstage.StoreStats) error {
		if format == "json" {
			return p.printStats(stats)
		}
		text := fmt.Sprintf("%s: whole, %s, records: %d", db, inBytes(stats.FileBytes), stats.Records)
		if stats.Cut != nil {
			text += "; at its end " + cutInWords(stats.Cut)
		}
		return p.print(escape.Terminal(text) + "\n")
	}),
}

var statsCommand = command{
	name: "store stats", arguments: "--db PATH [--format text|json]",
	summary: "tell how large a store is, and what is in it",
	help: `Tells how many records a store has, and how large its file is, and would be if it
was compacted. The store may be in use; nothing is changed.
`,
	setup: onStore(func(p *program, _, format string, stats flagstage.StoreStats) error {
		if format == "json" {
			return p.printStats(stats)
		}
		rows := [][]string{
			{"Records", fmt.Sprint(stats.Records)},
			{"Waking", fmt.Sprint(stats.Waking)},
			{"Revision", fmt.Sprint(stats.Revision)},
			{"File", inBytes(stats.FileBytes)},
			{"Compacted", inBytes(stats.LiveBytes)},
			{"Ratio", fmt.Sprintf("%.1f", stats.Ratio())},
		}
		if stats.Cut != nil {
			rows = append(rows, []string{"Unfinished", fmt.Sprintf("%d bytes at byte %d", stats.Cut.Bytes, stats.Cut.Offset)})
		}
		return p.printTable(rows)
	}),
}

// unfinished is a write that was cut short, as it is printed in JSON.
type unfinished struct {
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`
	Reason string `json:"reason"`
}

func (p *program) printStats(s flagstage.StoreStats) error {
	out := struct {
		Records    int         `json:"records"`
		Waking     int         `json:"waking"`
		Revision   int64       `json:"revision"`
		FileBytes  int64       `json:"fileBytes"`
		LiveBytes  int64       `json:"liveBytes"`
		Ratio      float64     `json:"ratio"`
		Unfinished *unfinished `json:"unfinished,omitempty"`
	}{s.Records, s.Waking, s.Revision, s.FileBytes, s.LiveBytes, s.Ratio(), (*unfinished)(s.Cut)}
	return p.printValue(out)
}

// printValue prints a value as JSON.
func (p *program) printValue(value any) error {
	document, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return p.printJSON(document)
}

var backupCommand = command{
	name: "store backup", arguments: "TARGET --db PATH",
	summary: "copy a store, also while it is in use",
	help: `Copies a store up to its last whole transaction into the new file TARGET, which
must not exist. The store may be in use. A damaged one is not copied.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db := dbFlag(set, "")
		return func(arguments []string) error {
			target, err := one("TARGET", arguments)
			if err != nil {
				return err
			}
			if err := exists(*db); err != nil {
				return err
			}
			if err := flagstage.BackupStore(p.ctx, *db, target, p.progress("copy")); err != nil {
				return err
			}
			return afterwards(p.print(escape.Terminal("copied "+*db+" to "+target) + "\n"))
		}
	},
}

var salvageCommand = command{
	name: "store salvage", arguments: "TARGET --db PATH [--format text|json]",
	summary: "save what is whole of a damaged store",
	help: `Writes what is whole in the file of a store into the new file TARGET, which must
not exist, and lists what is not. The damaged file is left alone. A record that a
lost transaction changed is as it was before, one that it deleted is back. The
exit status is 0 also if something is lost.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, format := dbFlag(set, ""), formatFlag(set)
		return func(arguments []string) error {
			target, err := one("TARGET", arguments)
			if err = cmp.Or(err, checkFormat(*format)); err != nil {
				return err
			}
			if err := exists(*db); err != nil {
				return err
			}
			found, err := flagstage.SalvageStore(p.ctx, *db, target, p.progress("salvage"))
			if err != nil {
				return err
			}
			if *format == "json" {
				return afterwards(p.printSalvaged(found))
			}
			return afterwards(p.tellSalvaged(*db, target, found))
		}
	},
}

func (p *program) tellSalvaged(db, target string, found flagstage.Salvaged) error {
	text := escape.Terminal(fmt.Sprintf("%s: saved to %s, records: %d", db, target, found.Records)) + "\n"
	if found.Unproven {
		text += "The file is of an early version, which does not prove its transactions whole.\n"
	}
	for _, lost := range found.Lost {
		what := ""
		switch {
		case lost.To == lost.From:
			what = fmt.Sprintf(", transaction %d", lost.From)
		case lost.To > lost.From:
			what = fmt.Sprintf(", transactions %d to %d", lost.From, lost.To)
		}
		text += escape.Terminal(fmt.Sprintf("lost: %d bytes at byte %d%s: %s", lost.Bytes, lost.Offset, what, lost.Reason)) + "\n"
	}
	return p.print(text)
}

func (p *program) printSalvaged(found flagstage.Salvaged) error {
	type lost struct {
		Offset int64  `json:"offset"`
		Bytes  int64  `json:"bytes"`
		From   int64  `json:"from"`
		To     int64  `json:"to"`
		Reason string `json:"reason"`
	}
	out := struct {
		Transactions int64  `json:"transactions"`
		Records      int64  `json:"records"`
		Unproven     bool   `json:"unproven"`
		Lost         []lost `json:"lost"`
	}{found.Transactions, found.Records, found.Unproven, []lost{}}
	for _, l := range found.Lost {
		out.Lost = append(out.Lost, lost(l))
	}
	return p.printValue(out)
}

var compactCommand = command{
	name: "store compact", arguments: "--db PATH",
	summary: "rewrite a store with only what is in it",
	help: `Rewrites the file of a store with only the records that there are. The store
must not be in use.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db := dbFlag(set, "")
		return func(arguments []string) error {
			if err := nothing(arguments); err != nil {
				return err
			}
			if err := exists(*db); err != nil {
				return err
			}
			before, err := os.Stat(*db)
			if err != nil {
				return err
			}
			if err := p.withStore(*db, func(s *flagstage.FileStore) error {
				return s.Compact(p.ctx, p.progress("compact"))
			}); err != nil {
				return err
			}
			return afterwards(p.tellCompacted(*db, before))
		}
	},
}

func (p *program) tellCompacted(db string, before fs.FileInfo) error {
	after, err := os.Stat(db)
	if err != nil {
		return err
	}
	return p.print(escape.Terminal(fmt.Sprintf("%s: %s, was %s", db, inBytes(after.Size()), inBytes(before.Size()))) + "\n")
}
