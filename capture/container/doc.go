// Package container turns cgroup paths into container and pod identities, and these into the names that the container runtime
// has for them in its files.
package container
