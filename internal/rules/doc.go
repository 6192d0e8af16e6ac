// Package rules holds tests about the code itself: which room may import what, who
// may read the environment and who may end the process. It has no code of its own.
package rules
