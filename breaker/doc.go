// Package breaker answers one question: may an attempt leave for this provider now?
//
// A Gate guards one model of one provider: circuit breaker, requests and tokens per
// minute, attempts in flight, and the cooling that a Retry-After asks for. The Gates
// of one provider share a Site, which knows what concerns all of its models: refused
// connections and a refused key. The breaker is asked before a rate token is spent.
//
// It judges the provider, not our users: a cancelled attempt, a 429 and a client's
// own fault count neither way, and always give their place back. It decides nothing
// about order or waiting, and makes no call.
package breaker
