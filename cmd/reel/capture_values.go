package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeValue is a number of bytes as a flag: 65536, 64KiB, 64k, 8M, 500MB.
type sizeValue int64

var sizeUnits = map[string]int64{"": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mib": 1 << 20, "g": 1 << 30, "gib": 1 << 30,
	"kb": 1e3, "mb": 1e6, "gb": 1e9}

func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "bBiIkKmMgG")
	unit, ok := sizeUnits[strings.ToLower(s[len(digits):])]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok || n < 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is no size: write a number of bytes, or one with KiB, MiB or GiB (KB, MB, GB are powers of ten)", s)
	}
	return n * unit, nil
}

// Set implements pflag.Value.
func (v *sizeValue) Set(s string) error {
	n, err := parseSize(s)
	if err == nil && n == 0 {
		err = fmt.Errorf("0 bytes are not possible")
	}
	if err == nil {
		*v = sizeValue(n)
	}
	return err
}

// Type implements pflag.Value.
func (*sizeValue) Type() string { return "SIZE" }

func (v *sizeValue) String() string {
	if *v == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*v), 10)
}

// snaplenValue is a number of bytes of each message as a flag, or full.
type snaplenValue uint32

const snaplenFull snaplenValue = math.MaxUint32

// Set implements pflag.Value.
func (v *snaplenValue) Set(s string) error {
	if s == "full" {
		*v = snaplenFull
		return nil
	}
	n, err := parseSize(s)
	if err == nil && n >= int64(snaplenFull) {
		err = fmt.Errorf("%q is too much: full copies all", s)
	}
	if err == nil {
		*v = snaplenValue(n)
	}
	return err
}

// Type implements pflag.Value.
func (*snaplenValue) Type() string { return "BYTES" }

func (v *snaplenValue) String() string {
	if *v == snaplenFull {
		return "full"
	}
	return strconv.FormatUint(uint64(*v), 10)
}
