package calendar_test

import (
	"fmt"
	"time"

	"github.com/flagstage/flagstage/calendar"
)

func ExampleWait_After() {
	zone, err := calendar.Zone("America/New_York")
	if err != nil {
		fmt.Println(err)
		return
	}
	// On the next date, clocks are set from 02:00 to 03:00.
	begin := time.Date(2026, time.March, 7, 2, 30, 0, 0, zone)
	for _, wait := range []calendar.Wait{
		{Count: 24, Unit: calendar.Hour},
		{Count: 1, Unit: calendar.Day},
		{Count: 1, Unit: calendar.Week},
	} {
		end, err := wait.After(begin, zone)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(wait, "later:", end.In(zone).Format(time.RFC3339))
	}
	// Output:
	// 24 hours later: 2026-03-08T03:30:00-04:00
	// 1 calendar day later: 2026-03-08T03:30:00-04:00
	// 1 calendar week later: 2026-03-14T02:30:00-04:00
}

func ExampleCursor() {
	zone, err := calendar.Zone("Pacific/Apia")
	if err != nil {
		fmt.Println(err)
		return
	}
	// Samoa had no December 30 in 2011: it moved to the other side of the
	// date line.
	cursor := calendar.NewCursor(zone)
	at := time.Date(2011, time.December, 28, 9, 0, 0, 0, zone)
	for range 4 {
		fmt.Println(at.In(zone).Format(time.RFC3339))
		if at, err = cursor.After(at, calendar.Wait{Count: 1, Unit: calendar.Day}); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// 2011-12-28T09:00:00-10:00
	// 2011-12-29T09:00:00-10:00
	// 2011-12-31T09:00:00+14:00
	// 2012-01-01T09:00:00+14:00
}

func ExampleZone() {
	for _, name := range []string{"Europe/Berlin", "Local", "Europe/Atlantis"} {
		zone, err := calendar.Zone(name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("found", zone)
	}
	// Output:
	// found Europe/Berlin
	// look up zone "Local": it depends on the machine: use the IANA name of the zone
	// look up zone "Europe/Atlantis": not in the zone database: use an IANA name such as Europe/Berlin; if that is not found either, import time/tzdata
}
