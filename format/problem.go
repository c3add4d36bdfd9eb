package format

import "fmt"

// ProblemKind is the registered name of something that is wrong with a reel.
type ProblemKind string

// The kinds.
const (
	// ProblemUnclean: the recorder did not end the reel, or is still running.
	ProblemUnclean ProblemKind = "unclean_end"
	// ProblemRecovered: the recorder did not end the reel, and reel recover did.
	ProblemRecovered ProblemKind = "recovered"
	// ProblemTorn: the last frame of a journal is not whole.
	ProblemTorn ProblemKind = "torn_frame"
	// ProblemGarbage: bytes of a journal are no frames.
	ProblemGarbage ProblemKind = "journal_garbage"
	// ProblemMissing: a file that the manifest names is not there.
	ProblemMissing ProblemKind = "file_missing"
	// ProblemCorrupt: a file is damaged, or is not the one that the manifest names.
	ProblemCorrupt ProblemKind = "file_corrupt"
	// ProblemStray: a file of an interrupted seal, whose rows are elsewhere.
	ProblemStray ProblemKind = "stray_file"
	// ProblemWithheld: bytes of an unsealed tail were left out, since no filter was given to mask them.
	ProblemWithheld ProblemKind = "tail_withheld"
)

// Problem is one thing that is wrong with a reel. Whatever is whole is still read.
type Problem struct {
	Kind    ProblemKind
	File    string // within the reel; "" the reel as a whole
	Segment int    // 0 none
	Offset  int64  // in File; -1 none
	Bytes   int64  // that hold no readable row, as far as known
	Rows    int64  // lost with the file, by the manifest; 0 unknown or none
	Loss    bool   // rows that were once written cannot be read
	Message string // what happened and what to do, one sentence
	Err     error  // *CorruptError or the system's error; may be nil
}

func (p Problem) String() string {
	if p.File == "" {
		return fmt.Sprintf("%s: %s", p.Kind, p.Message)
	}
	return fmt.Sprintf("%s: %s: %s", p.Kind, p.File, p.Message)
}
