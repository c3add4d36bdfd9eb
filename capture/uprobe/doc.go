// Package uprobe turns files that recorded processes map into probes on them: it looks at what a process maps, asks recipes
// where in it probes should stand, and places them for that process alone.
//
// A probe that is placed for all processes puts its breakpoint into every one that maps the file, recorded or not, and each
// pays for it. So probes are placed with the kernel's filter by process, and again for each process that a recorded one forks.
// A child gets those of its parent, and those of files that were of interest lately, when it is forked: it may use them within
// a millisecond of its exec.
package uprobe
