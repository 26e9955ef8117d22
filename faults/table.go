package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is a table in Markdown.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case int:
			row[i] = grouped(c)
		default:
			row[i] = fmt.Sprint(c)
		}
	}
	t.rows = append(t.rows, row)
}

// grouped writes a number with commas between thousands.
func grouped(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// share writes a number, and which part of all it is.
func share(n, all int) string {
	switch percent := 100 * float64(n) / float64(max(all, 1)); {
	case n == 0 || n == all:
		return grouped(n)
	case percent < 1:
		return fmt.Sprintf("%s (%.2g %%)", grouped(n), percent)
	default:
		return fmt.Sprintf("%s (%.0f %%)", grouped(n), percent)
	}
}

// print writes the table, its first column to the left and the others to the
// right.
func (t *table) print(out io.Writer, title string) error {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 2)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n\n", title)
	line := func(row []string) {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				cell, pad = cell+pad, ""
			}
			fmt.Fprintf(&b, "| %s%s ", pad, cell)
		}
		b.WriteString("|\n")
	}
	line(t.head)
	for i, w := range widths {
		if i == 0 {
			b.WriteString("|" + strings.Repeat("-", w+2))
		} else {
			b.WriteString("|" + strings.Repeat("-", w+1) + ":")
		}
	}
	b.WriteString("|\n")
	for _, row := range t.rows {
		line(row)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
