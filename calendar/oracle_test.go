package calendar_test

import (
	"fmt"
	"sort"
	"sync"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/calendar"
)

// zoneNames are the zones of the properties: large ones, and all kinds of odd
// ones.
var zoneNames = []string{
	"Africa/Abidjan", "Africa/Accra", "Africa/Cairo", "Africa/Casablanca", "Africa/El_Aaiun", "Africa/Johannesburg",
	"Africa/Juba", "Africa/Khartoum", "Africa/Lagos", "Africa/Monrovia", "Africa/Sao_Tome", "Africa/Tripoli",
	"Africa/Windhoek", "America/Adak", "America/Anchorage", "America/Argentina/Buenos_Aires",
	"America/Argentina/San_Luis", "America/Asuncion", "America/Bogota", "America/Caracas", "America/Chicago",
	"America/Danmarkshavn", "America/Denver", "America/Goose_Bay", "America/Grand_Turk", "America/Havana",
	"America/Indiana/Knox", "America/Kentucky/Monticello", "America/La_Paz", "America/Los_Angeles",
	"America/Mexico_City", "America/Miquelon", "America/Montevideo", "America/New_York", "America/Noronha",
	"America/Nuuk", "America/Phoenix", "America/Port-au-Prince", "America/Punta_Arenas", "America/Santiago",
	"America/Santo_Domingo", "America/Sao_Paulo", "America/Scoresbysund", "America/St_Johns", "America/Thule",
	"America/Tijuana", "Antarctica/Casey", "Antarctica/Davis", "Antarctica/Macquarie", "Antarctica/Mawson",
	"Antarctica/Troll", "Antarctica/Vostok", "Asia/Almaty", "Asia/Amman", "Asia/Beirut", "Asia/Choibalsan",
	"Asia/Damascus", "Asia/Dhaka", "Asia/Famagusta", "Asia/Gaza", "Asia/Hebron", "Asia/Hong_Kong", "Asia/Jerusalem",
	"Asia/Kathmandu", "Asia/Kolkata", "Asia/Magadan", "Asia/Manila", "Asia/Pyongyang", "Asia/Shanghai", "Asia/Tehran",
	"Asia/Tokyo", "Asia/Vladivostok", "Atlantic/Azores", "Atlantic/Stanley", "Australia/Adelaide", "Australia/Eucla",
	"Australia/Lord_Howe", "Australia/Sydney", "CET", "EST5EDT", "Etc/GMT+12", "Etc/GMT-14", "Europe/Berlin",
	"Europe/Chisinau", "Europe/Dublin", "Europe/Istanbul", "Europe/Kaliningrad", "Europe/Lisbon", "Europe/London",
	"Europe/Moscow", "Europe/Samara", "Europe/Volgograd", "Pacific/Apia", "Pacific/Auckland", "Pacific/Bougainville",
	"Pacific/Chatham", "Pacific/Easter", "Pacific/Efate", "Pacific/Enderbury", "Pacific/Fakaofo", "Pacific/Fiji",
	"Pacific/Kiritimati", "Pacific/Kwajalein", "Pacific/Nauru", "Pacific/Niue", "Pacific/Norfolk",
	"Pacific/Tongatapu", "UTC",
}

const (
	hour = 60 * 60
	day  = 24 * hour
)

// The years that the oracles know; they have more transitions than these, for
// waits that lead out.
var (
	firstKnown = time.Date(1970, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()
	lastKnown  = time.Date(2101, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()
)

// An oracle answers by another way than the package: from a list of all
// offsets that the zone has had, made by looking at its clocks twice a day.
type oracle struct {
	zone    *time.Location
	begins  []int64 // Unix seconds at which an offset began, in order
	offsets []int64 // the offset that began then
}

func newOracle(zone *time.Location) *oracle {
	o := &oracle{zone: zone}
	begin := firstKnown - 30*day
	o.begins, o.offsets = []int64{begin}, []int64{offsetAt(begin, zone)}
	for second := begin; second < lastKnown+500*day; second += day / 2 {
		before, after := offsetAt(second, zone), offsetAt(second+day/2, zone)
		if before == after {
			continue
		}
		change := second + int64(sort.Search(day/2, func(i int) bool { return offsetAt(second+int64(i), zone) != before }))
		o.begins, o.offsets = append(o.begins, change), append(o.offsets, after)
	}
	return o
}

func offsetAt(second int64, zone *time.Location) int64 {
	_, offset := time.Unix(second, 0).In(zone).Zone()
	return int64(offset)
}

// after returns the second that is the given number of calendar days later.
func (o *oracle) after(second, days int64) int64 {
	if days == 0 {
		return second
	}
	reading := second + offsetAt(second, o.zone) + days*day
	near := max(0, sort.Search(len(o.begins), func(i int) bool { return o.begins[i] > reading-2*day })-1)

	// All instants with that reading; the first counts.
	found, first := false, int64(0)
	for i := near; i < len(o.begins) && o.begins[i] < reading+2*day; i++ {
		candidate := reading - o.offsets[i]
		if offsetAt(candidate, o.zone) == o.offsets[i] && (!found || candidate < first) {
			found, first = true, candidate
		}
	}
	if found {
		return first
	}
	// None: clocks were set from a reading not after it to one after it.
	for i := near + 1; i < len(o.begins); i++ {
		if o.begins[i]+o.offsets[i-1] <= reading && reading < o.begins[i]+o.offsets[i] {
			return reading - o.offsets[i-1]
		}
	}
	panic(fmt.Sprintf("no instant and no gap for %d in %v", reading, o.zone))
}

// oracles are those of all zoneNames, in the same order.
var oracles = sync.OnceValue(func() []*oracle {
	all := make([]*oracle, len(zoneNames))
	for i, name := range zoneNames {
		zone, err := calendar.Zone(name)
		if err != nil {
			panic(err)
		}
		all[i] = newOracle(zone)
	}
	return all
})

// TestEveryTransition holds the package against the oracle around each
// transition of each zone from 1970 to 2100.
func TestEveryTransition(t *testing.T) {
	transitions := 0
	for _, o := range oracles() {
		cursor := calendar.NewCursor(o.zone)
		for i, change := range o.begins {
			if i == 0 || change < firstKnown+30*day || change >= lastKnown {
				continue
			}
			transitions++
			shift := o.offsets[i] - o.offsets[i-1]
			if shift < 0 {
				shift = -shift
			}
			for _, from := range []int64{
				-day, -shift - 1, -shift, -shift + 1, -shift / 2, -1, 0, 1, shift / 2, shift - 1, shift, shift + 1, day,
			} {
				for _, wait := range []calendar.Wait{
					{Count: 1, Unit: calendar.Day}, {Count: 2, Unit: calendar.Day}, {Count: 4, Unit: calendar.Week},
				} {
					days := wait.Count
					if wait.Unit == calendar.Week {
						days *= 7
					}
					begin := change + from - days*day
					want := o.after(begin, days)
					at := time.Unix(begin, 0)
					got, err := wait.After(at, o.zone)
					if err != nil || got.Unix() != want {
						t.Fatalf("%v after %s in %v: got %v (%v), want %s", wait,
							at.In(o.zone).Format(time.RFC3339), o.zone, got, err,
							time.Unix(want, 0).UTC().Format(time.RFC3339))
					}
					again, err := cursor.After(at, wait)
					if err != nil || again != got {
						t.Fatalf("%v after %s in %v: cursor got %v (%v), want %v", wait,
							at.In(o.zone).Format(time.RFC3339), o.zone, again, err, got)
					}
				}
			}
		}
	}
	require.Greater(t, transitions, 10_000, "the zone database has fewer transitions than it should")
}

// FuzzWaitAfter holds any call against the oracle, and where the oracle has
// nothing to say against what is promised of all calls.
func FuzzWaitAfter(f *testing.F) {
	for _, instant := range []string{
		"2026-03-07T02:30:00-05:00", "2026-10-31T01:30:00-04:00", "2011-12-29T10:00:00-10:00",
		"1970-01-01T00:00:00Z", "2040-12-31T12:00:00-05:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
	} {
		at, err := time.Parse(time.RFC3339, instant)
		require.NoError(f, err)
		for i, name := range zoneNames {
			if name == "America/New_York" || name == "Pacific/Apia" {
				f.Add(at.Unix(), int64(0), int64(1), "calendarDay", uint(i))
				f.Add(at.Unix(), int64(1), int64(2), "calendarWeek", uint(i))
			}
		}
	}
	f.Add(int64(1<<63-1), int64(999), int64(1<<63-1), "calendarWeek", uint(0))
	f.Add(int64(-1<<63), int64(-1), int64(1<<63-1), "minute", uint(0))
	f.Add(int64(0), int64(0), int64(-1), "hour", uint(0))
	f.Add(int64(0), int64(0), int64(1), "day", uint(0))
	f.Fuzz(func(t *testing.T, second, nanosecond, count int64, unit string, zone uint) {
		at := time.Unix(second, nanosecond)
		wait := calendar.Wait{Count: count, Unit: calendar.Unit(unit)}
		o := oracles()[zone%uint(len(zoneNames))]

		got, err := wait.After(at, o.zone)
		cursor := calendar.NewCursor(o.zone)
		for range 2 {
			again, againErr := cursor.After(at, wait)
			require.Equal(t, got, again)
			require.Equal(t, err, againErr)
		}
		if err != nil {
			require.Zero(t, got)
			if wait.Validate() == nil {
				require.ErrorIs(t, err, calendar.ErrOutOfRange)
				require.False(t, at.Unix() >= firstKnown && at.Unix() <= lastKnown && count < 1_000, "refused: %v", err)
			}
			return
		}
		require.NoError(t, wait.Validate())
		require.Equal(t, time.UTC, got.Location())
		require.Equal(t, at.Nanosecond(), got.Nanosecond())
		require.GreaterOrEqual(t, got.Year(), 1970)
		require.LessOrEqual(t, got.Year(), 9999)
		if count > 1_000_000 || at.Unix() < firstKnown || got.Unix() > lastKnown {
			return
		}
		want := at.Unix()
		switch wait.Unit {
		case calendar.Minute:
			want += count * 60
		case calendar.Hour:
			want += count * hour
		case calendar.Day:
			want = o.after(want, count)
		case calendar.Week:
			want = o.after(want, 7*count)
		}
		require.Equal(t, want, got.Unix())
	})
}
