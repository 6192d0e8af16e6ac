// Package rules holds tests about the code itself: which room may import what, who
// may read the environment and who may end the process, that only a format's own files
// know of it, and that adding one takes no more than them. It has no code of its own.
package rules
