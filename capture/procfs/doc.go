// Package procfs turns the files of /proc into facts about processes: who they are, what they run, whose children they are.
package procfs
