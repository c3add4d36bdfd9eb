package main

import (
	"bytes"
	"path/filepath"
	"testing"
)

// What was recorded of real processes becomes text and a reel again, and loses nothing.
func TestRecordedReelsSurviveTheirText(t *testing.T) {
	reels, err := filepath.Glob("../../testdata/reels/*.reel")
	if err != nil || len(reels) == 0 {
		t.Fatalf("testdata/reels holds %d reels (%v)", len(reels), err)
	}
	for _, reel := range reels {
		dir := t.TempDir()
		file, again := filepath.Join(dir, "x.txt"), filepath.Join(dir, "x.reel")
		reelOutput(t, "dump", reel, "-o", file)
		reelOutput(t, "assemble", file, "-o", again)
		if !bytes.Equal(reelOutput(t, "dump", reel), reelOutput(t, "dump", again)) {
			t.Errorf("%s is not what its text makes", reel)
		}
		reelOutput(t, "verify", again)
	}
}
