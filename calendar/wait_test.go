package calendar_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/calendar"
)

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	found, err := calendar.Zone(name)
	require.NoError(t, err)
	return found
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	require.NoError(t, err)
	return at
}

func TestWaitAfter(t *testing.T) {
	tests := []struct {
		name  string
		zone  string
		begin string
		count int64
		unit  calendar.Unit
		want  string
	}{
		{"plain day", "America/New_York", "2026-05-04T09:00:00-04:00", 1, calendar.Day, "2026-05-05T09:00:00-04:00"},
		{"plain week", "America/New_York", "2026-05-04T09:00:00-04:00", 2, calendar.Week, "2026-05-18T09:00:00-04:00"},
		{"month and year end", "UTC", "2026-12-31T23:00:00Z", 1, calendar.Day, "2027-01-01T23:00:00Z"},
		{"leap day", "Europe/Berlin", "2028-02-28T12:00:00+01:00", 1, calendar.Day, "2028-02-29T12:00:00+01:00"},
		{"no leap day in 2100", "Europe/Berlin", "2100-02-28T12:00:00+01:00", 1, calendar.Day, "2100-03-01T12:00:00+01:00"},
		{"fraction of a second", "America/New_York", "2026-03-07T12:00:00.123456789-05:00", 1, calendar.Day, "2026-03-08T12:00:00.123456789-04:00"},
		{"another offset than the zone's", "America/New_York", "2026-03-08T02:00:00+09:00", 1, calendar.Day, "2026-03-08T12:00:00-04:00"},
		{"first instant", "UTC", "1969-12-31T00:00:00Z", 1, calendar.Day, "1970-01-01T00:00:00Z"},
		{"last instant", "UTC", "9999-12-30T23:59:59.999999999Z", 1, calendar.Day, "9999-12-31T23:59:59.999999999Z"},
		{"first hour of 1970, 24-hour days end before", "America/New_York", "1969-10-20T19:30:00-04:00", 72, calendar.Day, "1969-12-31T19:30:00-05:00"},
		{"last hour of 9999, 24-hour days end after", "Australia/Sydney", "9999-09-01T10:30:00+10:00", 122, calendar.Day, "9999-12-31T23:30:00Z"},
		{"from the year 1", "UTC", "0001-01-01T00:00:00Z", 104_300, calendar.Week, "1999-12-13T00:00:00Z"},

		{"New York, hours ignore a gap", "America/New_York", "2026-03-07T12:00:00-05:00", 24, calendar.Hour, "2026-03-08T13:00:00-04:00"},
		{"New York, minutes ignore an overlap", "America/New_York", "2026-11-01T01:30:00-04:00", 60, calendar.Minute, "2026-11-01T01:30:00-05:00"},
		{"New York, day of 23 hours", "America/New_York", "2026-03-07T12:00:00-05:00", 1, calendar.Day, "2026-03-08T12:00:00-04:00"},
		{"New York, day of 25 hours", "America/New_York", "2026-10-31T12:00:00-04:00", 1, calendar.Day, "2026-11-01T12:00:00-05:00"},
		{"New York, before the gap", "America/New_York", "2026-03-07T01:59:59-05:00", 1, calendar.Day, "2026-03-08T01:59:59-05:00"},
		{"New York, start of the gap", "America/New_York", "2026-03-07T02:00:00-05:00", 1, calendar.Day, "2026-03-08T03:00:00-04:00"},
		{"New York, in the gap", "America/New_York", "2026-03-07T02:30:00-05:00", 1, calendar.Day, "2026-03-08T03:30:00-04:00"},
		{"New York, end of the gap", "America/New_York", "2026-03-07T03:00:00-05:00", 1, calendar.Day, "2026-03-08T03:00:00-04:00"},
		{"New York, week into the gap", "America/New_York", "2026-03-01T02:30:00-05:00", 1, calendar.Week, "2026-03-08T03:30:00-04:00"},
		{"New York, over the gap", "America/New_York", "2026-03-07T02:30:00-05:00", 2, calendar.Day, "2026-03-09T02:30:00-04:00"},
		{"New York, start of the overlap", "America/New_York", "2026-10-31T01:00:00-04:00", 1, calendar.Day, "2026-11-01T01:00:00-04:00"},
		{"New York, in the overlap", "America/New_York", "2026-10-31T01:30:00-04:00", 1, calendar.Day, "2026-11-01T01:30:00-04:00"},
		{"New York, end of the overlap", "America/New_York", "2026-10-31T02:00:00-04:00", 1, calendar.Day, "2026-11-01T02:00:00-05:00"},
		{"New York, from the second reading", "America/New_York", "2026-11-01T01:30:00-05:00", 1, calendar.Day, "2026-11-02T01:30:00-05:00"},
		{"New York, no days from the second reading", "America/New_York", "2026-11-01T01:30:00-05:00", 0, calendar.Day, "2026-11-01T01:30:00-05:00"},
		{"New York, year over both", "America/New_York", "2026-01-15T02:30:00-05:00", 365, calendar.Day, "2027-01-15T02:30:00-05:00"},
		{"New York, last day of a leap year without a list", "America/New_York", "2040-12-31T12:00:00-05:00", 1, calendar.Day, "2041-01-01T12:00:00-05:00"},
		{"New York, to that day", "America/New_York", "2040-12-30T12:00:00-05:00", 1, calendar.Day, "2040-12-31T12:00:00-05:00"},

		{"Berlin, in the gap", "Europe/Berlin", "2026-03-28T02:30:00+01:00", 1, calendar.Day, "2026-03-29T03:30:00+02:00"},
		{"Berlin, in the overlap", "Europe/Berlin", "2026-10-24T02:30:00+02:00", 1, calendar.Day, "2026-10-25T02:30:00+02:00"},
		{"Lord Howe, in the gap of half an hour", "Australia/Lord_Howe", "2026-10-03T02:15:00+10:30", 1, calendar.Day, "2026-10-04T02:45:00+11:00"},
		{"Lord Howe, in the overlap of half an hour", "Australia/Lord_Howe", "2026-04-04T01:45:00+11:00", 1, calendar.Day, "2026-04-05T01:45:00+11:00"},
		{"Dublin, winter time is the exception", "Europe/Dublin", "2026-03-28T01:30:00Z", 1, calendar.Day, "2026-03-29T02:30:00+01:00"},
		{"Dublin, in the overlap", "Europe/Dublin", "2026-10-24T01:30:00+01:00", 1, calendar.Day, "2026-10-25T01:30:00+01:00"},
		{"Casablanca, end of Ramadan", "Africa/Casablanca", "2023-04-22T02:30:00Z", 1, calendar.Day, "2023-04-23T03:30:00+01:00"},
		{"Casablanca, start of Ramadan", "Africa/Casablanca", "2023-03-18T02:30:00+01:00", 1, calendar.Day, "2023-03-19T02:30:00+01:00"},
		{"Sao Paulo, gap at midnight", "America/Sao_Paulo", "2018-11-03T00:30:00-03:00", 1, calendar.Day, "2018-11-04T01:30:00-02:00"},
		{"Sao Paulo, overlap before midnight", "America/Sao_Paulo", "2018-02-16T23:30:00-02:00", 1, calendar.Day, "2018-02-17T23:30:00-02:00"},
		{"Apia, to the skipped date", "Pacific/Apia", "2011-12-29T10:00:00-10:00", 1, calendar.Day, "2011-12-31T10:00:00+14:00"},
		{"Apia, over the skipped date", "Pacific/Apia", "2011-12-29T10:00:00-10:00", 2, calendar.Day, "2011-12-31T10:00:00+14:00"},
		{"Apia, week to the skipped date", "Pacific/Apia", "2011-12-23T23:59:59-10:00", 1, calendar.Week, "2011-12-31T23:59:59+14:00"},
		{"Kwajalein, to the skipped date", "Pacific/Kwajalein", "1993-08-20T09:00:00-12:00", 1, calendar.Day, "1993-08-22T09:00:00+12:00"},
		{"Kiritimati, to the skipped date", "Pacific/Kiritimati", "1994-12-30T12:00:00-10:00", 1, calendar.Day, "1995-01-01T12:00:00+14:00"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wait := calendar.Wait{Count: test.count, Unit: test.unit}
			zone, begin := mustZone(t, test.zone), instant(t, test.begin)
			got, err := wait.After(begin, zone)
			require.NoError(t, err)
			require.Equal(t, test.want, got.In(instant(t, test.want).Location()).Format(time.RFC3339Nano))
			require.Equal(t, time.UTC, got.Location())

			cursor := calendar.NewCursor(zone)
			for range 2 {
				again, err := cursor.After(begin, wait)
				require.NoError(t, err)
				require.Equal(t, got, again)
			}
		})
	}
}

func TestWaitAfterErrors(t *testing.T) {
	apia := mustZone(t, "Pacific/Apia")
	tests := []struct {
		name  string
		begin time.Time
		wait  calendar.Wait
		zone  *time.Location
		want  error
		text  string
	}{
		{"zero wait", time.Unix(0, 0), calendar.Wait{}, apia, calendar.ErrUnit, `unknown unit "": use one of ["minute" "hour" "calendarDay" "calendarWeek"]`},
		{"unknown unit", time.Unix(0, 0), calendar.Wait{Count: -1, Unit: "day"}, apia, calendar.ErrUnit, `unknown unit "day"`},
		{"negative", time.Unix(0, 0), calendar.Wait{Count: -3, Unit: calendar.Day}, apia, calendar.ErrNegative, "negative count -3: use 0 or more"},
		{"most negative", time.Unix(0, 0), calendar.Wait{Count: math.MinInt64, Unit: calendar.Week}, apia, calendar.ErrNegative, ""},
		{"day without zone", time.Unix(0, 0), calendar.Wait{Count: 1, Unit: calendar.Day}, nil, calendar.ErrZone, "no usable zone: 1 calendar day cannot be counted without one"},
		{"no weeks without zone", time.Unix(0, 0), calendar.Wait{Unit: calendar.Week}, nil, calendar.ErrZone, ""},
		{"past the last instant", instant(t, "9999-12-31T23:59:59.999999999Z"), calendar.Wait{Count: 1, Unit: calendar.Minute}, nil, calendar.ErrOutOfRange, "instant out of range: 1 minute after 9999-12-31T23:59:59Z is not in the years 1970 to 9999"},
		{"past the last day", instant(t, "9999-12-31T00:00:00Z"), calendar.Wait{Count: 1, Unit: calendar.Day}, time.UTC, calendar.ErrOutOfRange, ""},
		{"before the first instant", instant(t, "1969-12-31T22:59:59Z"), calendar.Wait{Count: 1, Unit: calendar.Hour}, nil, calendar.ErrOutOfRange, ""},
		{"no days before 1970", instant(t, "1969-12-31T23:59:59Z"), calendar.Wait{Unit: calendar.Day}, apia, calendar.ErrOutOfRange, ""},
		{"zero time", time.Time{}, calendar.Wait{Count: 1, Unit: calendar.Day}, apia, calendar.ErrOutOfRange, ""},
		{"after the last instant", instant(t, "9999-12-31T23:59:59Z").Add(time.Second), calendar.Wait{Unit: calendar.Hour}, nil, calendar.ErrOutOfRange, ""},
		{"huge count", time.Unix(0, 0), calendar.Wait{Count: math.MaxInt64, Unit: calendar.Week}, apia, calendar.ErrOutOfRange, ""},
		{"minutes that overflow to 44 seconds", time.Unix(0, 0), calendar.Wait{Count: 307445734561825861, Unit: calendar.Minute}, apia, calendar.ErrOutOfRange, ""},
		{"weeks that overflow to some days", time.Unix(0, 0), calendar.Wait{Count: 30500568904944, Unit: calendar.Week}, apia, calendar.ErrOutOfRange, ""},
		{"latest time, short wait", time.Unix(math.MaxInt64, 0), calendar.Wait{Count: 1, Unit: calendar.Minute}, apia, calendar.ErrOutOfRange, ""},
		{"latest time", time.Unix(math.MaxInt64, 0), calendar.Wait{Count: math.MaxInt64, Unit: calendar.Week}, apia, calendar.ErrOutOfRange, ""},
		{"earliest time", time.Unix(math.MinInt64, 0), calendar.Wait{Count: 1, Unit: calendar.Day}, apia, calendar.ErrOutOfRange, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.wait.After(test.begin, test.zone)
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.text)
			require.Zero(t, got)

			// With and without something remembered.
			cursor := calendar.NewCursor(test.zone)
			for _, begin := range []time.Time{test.begin, time.Unix(0, 0), test.begin} {
				again, againErr := cursor.After(begin, test.wait)
				want, wantErr := test.wait.After(begin, test.zone)
				require.Equal(t, want, again)
				require.Equal(t, wantErr, againErr)
				_, _ = cursor.After(begin, calendar.Wait{Unit: calendar.Day})
			}
		})
	}
}

func TestMinutesAndHoursNeedNoZone(t *testing.T) {
	for unit, want := range map[calendar.Unit]string{
		calendar.Minute: "2026-05-04T09:02:00Z",
		calendar.Hour:   "2026-05-04T11:00:00Z",
	} {
		got, err := calendar.Wait{Count: 2, Unit: unit}.After(instant(t, "2026-05-04T09:00:00Z"), nil)
		require.NoError(t, err)
		require.Equal(t, want, got.Format(time.RFC3339))
	}
}

func TestValidate(t *testing.T) {
	for _, unit := range calendar.Units() {
		require.True(t, unit.Valid())
		require.NoError(t, calendar.Wait{Unit: unit}.Validate())
		require.NoError(t, calendar.Wait{Count: math.MaxInt64, Unit: unit}.Validate())
		require.ErrorIs(t, calendar.Wait{Count: -1, Unit: unit}.Validate(), calendar.ErrNegative)
	}
	for _, unit := range []calendar.Unit{"", "Minute", "minutes", "calendarday", "calendarDay ", "day", "week"} {
		require.False(t, unit.Valid(), unit)
		require.ErrorIs(t, calendar.Wait{Count: 1, Unit: unit}.Validate(), calendar.ErrUnit, unit)
	}
	long := calendar.Wait{Unit: calendar.Unit(strings.Repeat("\n", 257))}
	require.ErrorContains(t, long.Validate(), `unknown unit "`+strings.Repeat(`\n`, 256)+`"...: use`)
}

func TestUnitsIsFresh(t *testing.T) {
	want := []calendar.Unit{calendar.Minute, calendar.Hour, calendar.Day, calendar.Week}
	units := calendar.Units()
	require.Equal(t, want, units)
	units[0] = calendar.Week
	require.Equal(t, want, calendar.Units())
}

func TestWaitString(t *testing.T) {
	for want, wait := range map[string]calendar.Wait{
		"0 minutes":         {Count: 0, Unit: calendar.Minute},
		"1 minute":          {Count: 1, Unit: calendar.Minute},
		"1 hour":            {Count: 1, Unit: calendar.Hour},
		"48 hours":          {Count: 48, Unit: calendar.Hour},
		"1 calendar day":    {Count: 1, Unit: calendar.Day},
		"2 calendar days":   {Count: 2, Unit: calendar.Day},
		"1 calendar week":   {Count: 1, Unit: calendar.Week},
		"-1 calendar weeks": {Count: -1, Unit: calendar.Week},
		`0 ""`:              {},
		`3 "\x00"`:          {Count: 3, Unit: "\x00"},
	} {
		require.Equal(t, want, wait.String())
	}
}

// Neither the process's zone nor the location of the instant may show.
func TestLocationsDoNotMatter(t *testing.T) {
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	berlin := mustZone(t, "Europe/Berlin")
	wait := calendar.Wait{Count: 1, Unit: calendar.Day}
	for _, name := range []string{"UTC", "Pacific/Apia", "America/New_York", "Europe/Berlin"} {
		time.Local = mustZone(t, name)
		for begin, want := range map[string]string{
			"2026-03-28T02:30:00+01:00": "2026-03-29T01:30:00Z",
			"2026-10-24T02:30:00+02:00": "2026-10-25T00:30:00Z",
			"2026-06-01T00:00:00+02:00": "2026-06-01T22:00:00Z",
		} {
			for _, in := range []*time.Location{time.Local, time.UTC, berlin, mustZone(t, "Asia/Tokyo"), time.FixedZone("", 9_000)} {
				got, err := wait.After(instant(t, begin).In(in), berlin)
				require.NoError(t, err)
				require.Equal(t, want, got.Format(time.RFC3339))
				cursor := calendar.NewCursor(berlin)
				for range 2 {
					again, err := cursor.After(instant(t, begin).In(in), wait)
					require.NoError(t, err)
					require.True(t, got == again)
				}
			}
		}
	}
}

// A monotonic reading would make equal instants differ.
func TestNoMonotonicReading(t *testing.T) {
	now := time.Now()
	for _, unit := range calendar.Units() {
		got, err := calendar.Wait{Unit: unit}.After(now, time.UTC)
		require.NoError(t, err)
		require.True(t, got == now.Round(0).UTC(), "%#v", got)
	}
}

// Databases may keep no list of transitions and leave all to a rule for
// future years, from a transition that the rule does not know on. Ciudad
// Juarez is such a case: it left its zone in November 2022, weeks after all
// others that follow the same rule since had set their clocks.
func TestRuleWithoutList(t *testing.T) {
	juarez, err := time.LoadLocationFromTZData("America/Ciudad_Juarez", tzif(
		[]int32{-6 * hour, -7 * hour},
		[]time.Time{instant(t, "2022-10-30T08:00:00Z"), instant(t, "2022-11-30T06:00:00Z")},
		"MST7MDT,M3.2.0,M11.1.0"))
	require.NoError(t, err)
	for begin, want := range map[string]string{
		"2022-11-27T23:30:00-06:00": "2022-11-29T23:30:00-06:00", // in the overlap
		"2022-11-28T12:00:00-06:00": "2022-11-30T12:00:00-07:00",
		"2022-12-01T12:00:00-07:00": "2022-12-03T12:00:00-07:00",
		"2023-03-10T02:30:00-07:00": "2023-03-12T03:30:00-06:00",
		"2024-12-30T02:30:00-07:00": "2025-01-01T02:30:00-07:00",
	} {
		wait := calendar.Wait{Count: 2, Unit: calendar.Day}
		got, err := wait.After(instant(t, begin), juarez)
		require.NoError(t, err)
		require.Equal(t, want, got.In(juarez).Format(time.RFC3339))
		cursor := calendar.NewCursor(juarez)
		_, err = cursor.After(instant(t, "2022-12-10T00:00:00Z"), wait)
		require.NoError(t, err)
		again, err := cursor.After(instant(t, begin), wait)
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
}

// Where there is no list, the Go library believes that every year ends after
// 365 days. A clock that is set back on the last day of a leap year shows it.
func TestLastDayOfLeapYear(t *testing.T) {
	zone, err := time.LoadLocationFromTZData("Nowhere", tzif(
		[]int32{0}, []time.Time{instant(t, "2000-01-01T00:00:00Z")}, "STD0DST,J1/12,J365/23"))
	require.NoError(t, err)
	second := instant(t, "2028-12-31T22:30:00Z")
	require.Equal(t, "22:30 STD", second.In(zone).Format("15:04 MST"))
	require.Equal(t, "22:30 DST", second.Add(-time.Hour).In(zone).Format("15:04 MST"))
	for _, test := range []struct {
		begin time.Time
		days  int64
		want  string
	}{
		{second, 0, "2028-12-31T22:30:00Z"},
		{second, 1, "2029-01-01T21:30:00Z"},
		{second.Add(-10 * time.Hour), 1, "2029-01-01T12:30:00Z"}, // clocks are set at 12:00
		{second.Add(-35 * time.Hour), 1, "2028-12-31T11:30:00Z"},
	} {
		got, err := calendar.Wait{Count: test.days, Unit: calendar.Day}.After(test.begin, zone)
		require.NoError(t, err)
		require.Equal(t, test.want, got.Format(time.RFC3339))
	}
}

// tzif returns a zone file, as RFC 9636 has it, in which the offset of each
// index begins at the instant of the same index.
func tzif(offsets []int32, begins []time.Time, rule string) []byte {
	const abbreviation = "ABC\x00"
	header := func(times, types, text int) []byte {
		data := append([]byte("TZif2"), make([]byte, 15+3*4)...)
		for _, n := range []int{times, types, text} {
			data = binary.BigEndian.AppendUint32(data, uint32(n))
		}
		return data
	}
	data := append(header(0, 0, 0), header(len(begins), len(offsets), len(abbreviation))...)
	for _, begin := range begins {
		data = binary.BigEndian.AppendUint64(data, uint64(begin.Unix()))
	}
	for i := range begins {
		data = append(data, byte(i))
	}
	for _, offset := range offsets {
		data = append(binary.BigEndian.AppendUint32(data, uint32(offset)), 0, 0)
	}
	return append(data, abbreviation+"\n"+rule+"\n"...)
}

// Zones that no database holds must not make a call hang or panic.
func TestImpossibleZones(t *testing.T) {
	begins := []time.Time{instant(t, "2026-01-01T00:00:00Z"), instant(t, "2026-01-02T00:00:00Z")}
	for _, offsets := range [][]int32{
		{math.MinInt32, math.MaxInt32}, {math.MaxInt32, math.MinInt32}, {100 * hour, -100 * hour}, {-100 * hour, 100 * hour},
	} {
		zone, err := time.LoadLocationFromTZData("Nowhere", tzif(offsets, begins, ""))
		require.NoError(t, err)
		for _, begin := range begins {
			for from := -9 * 24 * time.Hour; from <= 9*24*time.Hour; from += time.Hour {
				got, err := calendar.Wait{Count: 1, Unit: calendar.Day}.After(begin.Add(from), zone)
				if err != nil {
					require.ErrorIs(t, err, calendar.ErrOutOfRange)
					require.Zero(t, got)
				}
			}
		}
	}
	far := time.FixedZone("far", math.MaxInt)
	got, err := calendar.Wait{Count: 1, Unit: calendar.Day}.After(begins[0], far)
	require.NoError(t, err)
	require.Equal(t, begins[1], got)
}

// drawOracle draws a zone.
func drawOracle(t *rapid.T) *oracle {
	name := rapid.SampledFrom(zoneNames).Draw(t, "zone")
	for i, o := range oracles() {
		if zoneNames[i] == name {
			return o
		}
	}
	panic("unreachable")
}

// drawInstant draws an instant of the years the oracle knows: any, or one in
// the days around a transition of the zone.
func drawInstant(t *rapid.T, o *oracle) time.Time {
	second := rapid.Int64Range(firstKnown, lastKnown).Draw(t, "second")
	if len(o.begins) > 1 && rapid.Bool().Draw(t, "near a transition") {
		change := rapid.SampledFrom(o.begins[1:]).Draw(t, "transition")
		second = change + rapid.Int64Range(-9*day, 2*day).Draw(t, "from it")
	}
	return time.Unix(min(max(firstKnown, second), lastKnown), rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond"))
}

// drawCount draws a count of days that is likely to be small.
func drawCount(t *rapid.T, label string) int64 {
	return rapid.OneOf(rapid.Int64Range(0, 9), rapid.Int64Range(0, 400)).Draw(t, label)
}

func TestLaterCountIsNeverEarlier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOracle(t)
		begin := drawInstant(t, o)
		unit := rapid.SampledFrom(calendar.Units()).Draw(t, "unit")
		count := drawCount(t, "count")
		more := count + drawCount(t, "more")
		sooner, err := calendar.Wait{Count: count, Unit: unit}.After(begin, o.zone)
		require.NoError(t, err)
		later, err := calendar.Wait{Count: more, Unit: unit}.After(begin, o.zone)
		require.NoError(t, err)
		require.False(t, later.Before(sooner), "%v, then %v", sooner, later)
	})
}

func TestZeroCountIsTheInstantItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOracle(t)
		begin := drawInstant(t, o)
		for _, unit := range calendar.Units() {
			got, err := calendar.Wait{Unit: unit}.After(begin, o.zone)
			require.NoError(t, err)
			require.Equal(t, begin.UTC(), got)
		}
	})
}

func TestDayWithoutTransitionIs24Hours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOracle(t)
		begin := drawInstant(t, o)
		count := drawCount(t, "days")
		want := begin.UTC().Add(time.Duration(count) * 24 * time.Hour)
		for _, change := range o.begins {
			if begin.Unix() < change && change <= want.Unix() {
				return
			}
		}
		got, err := calendar.Wait{Count: count, Unit: calendar.Day}.After(begin, o.zone)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestReadingIsKeptWhereItExists(t *testing.T) {
	const reading = "2006-01-02T15:04:05.999999999"
	rapid.Check(t, func(t *rapid.T) {
		o := drawOracle(t)
		begin := drawInstant(t, o).In(o.zone)
		count := drawCount(t, "days")
		got, err := calendar.Wait{Count: count, Unit: calendar.Day}.After(begin, o.zone)
		require.NoError(t, err)

		wanted := begin.Add(time.Duration(offsetAt(begin.Unix(), o.zone))*time.Second).UTC().AddDate(0, 0, int(count)).Format(reading)
		if std := begin.AddDate(0, 0, int(count)); std.Format(reading) == wanted { // it exists
			require.Equal(t, wanted, got.In(o.zone).Format(reading))
			require.True(t, count == 0 || !got.After(std), "not the first: %v", got)
		} else {
			require.Greater(t, got.In(o.zone).Format(reading), wanted)
		}
	})
}

func TestWeekIsSevenDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOracle(t)
		begin := drawInstant(t, o)
		count := drawCount(t, "weeks")
		weeks, err := calendar.Wait{Count: count, Unit: calendar.Week}.After(begin, o.zone)
		require.NoError(t, err)
		days, err := calendar.Wait{Count: 7 * count, Unit: calendar.Day}.After(begin, o.zone)
		require.NoError(t, err)
		require.Equal(t, days, weeks)
	})
}
