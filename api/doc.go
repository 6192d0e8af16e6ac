// Package api is the HTTP edge: authenticate, decode, call the router, encode, relay.
// It is the only room that knows Gin.
//
// It decides nothing about providers and never looks into a body more than it must:
// one strict pass finds what routing needs to know, the bytes themselves go on
// unchanged. No prompt, answer or key ever reaches a log line or an error.
package api
