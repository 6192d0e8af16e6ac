// Package route decides; it does not act. It has no clock, goroutine, lock or I/O.
//
// A Walk is the path of one request through its candidates: Step takes what happened
// and the time, and returns what to do now. A Fleet is what all walks share: live
// quantiles of every model, demotions, and the budgets of hedges and retries. The
// router actor owns both and carries the actions out.
package route
