// Package calendar answers when a wait is over: a count of minutes, hours,
// calendar days or calendar weeks after an instant, in a time zone.
//
// [Wait.After] answers one question; a [Cursor] answers many for the same zone
// faster; [Zone] looks a zone up by its name and refuses everything that is
// not one. All but Zone are pure functions of their arguments: neither the
// wall clock, nor TZ, nor the location of a [time.Time] ever changes an
// answer.
//
// # Rules
//
// A minute is 60 seconds and an hour 3,600 seconds of elapsed time, in any
// zone.
//
// A calendar day is the next date with the same reading of the zone's clocks,
// and a calendar week is seven calendar days. On most dates that is 24 hours
// later. On the others:
//
//   - A reading that does not exist, because clocks were set forward over it
//     or the zone skipped the whole date, moves forward by the length of the
//     gap: 02:30 in a gap from 02:00 to 03:00 is 03:30.
//   - A reading that exists twice, because clocks were set back, is the first
//     of the two.
//   - A count of zero is the instant itself in every unit, even when it is the
//     second of two instants with the same reading.
//
// Days are counted from the instant given. Two waits of a day, one after the
// other, may end elsewhere than one of two days: the first may have moved the
// reading.
//
// Fractions of a second are kept. Answers are in UTC, without a monotonic
// reading, and lie in the years 1970 to 9999.
//
// # Source of the rules
//
// RFC 5545 (iCalendar), section 3.3.5, reads local times that do not exist or
// exist twice in this way, and so does java.time.LocalDateTime.atZone.
// [time.Time.AddDate] does not: like [time.Date] it gives a time that is
// correct in one of the two zones involved in the transition, and does not
// guarantee which.
//
// # Caveats
//
// An answer is as good as the zone database that [time.LoadLocation] found:
// the one ZONEINFO names, the system's, that of the Go installation, or
// time/tzdata if the program imports it. Machines with databases of different
// age give different answers for dates on which a government has changed its
// mind, and the same machine does after an update. Store the answer when it
// has to hold; asking again later may give another. The rules of future years
// are today's, continued.
package calendar
