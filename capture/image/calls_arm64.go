package image

const callWindow = 256

// secondArguments is not known for this machine: an address is made of two instructions there, which compilers set apart.
func (m *Image) secondArguments([]byte, uint64, map[uint64]string, func(s string, callee uint64)) {}
