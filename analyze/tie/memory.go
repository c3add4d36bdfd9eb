package tie

import "github.com/ebpf-reel/reel/format"

type memory struct{}

// Row takes a row, in the second pass.
func (b *Builder) Row(row format.Row) {}

func (b *Builder) decide() {}
