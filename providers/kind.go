package providers

import (
	"fmt"
	"maps"
	"slices"

	"gateway"
)

// kind is all that is peculiar to one way of asking a provider. The file of its adapter
// declares it and adds it with register; whoever wants to know something of a kind asks
// its declaration. Nothing outside of that file tells one kind from another.
type kind struct {
	// name is what providers.json calls it.
	name    string
	adapter func(Settings) (Adapter, error)
	// protocol is what the rest of the gateway must know. Without a Maker it gets the
	// kind's name for one.
	protocol gateway.Protocol
	// adapt, if set, lays over it what an entry's quirks change.
	adapt func(*gateway.Protocol, *Quirks)
	// can is what a chat model can take unless its entry says otherwise. The source of
	// all is the field matrix of the wire reference (section 4).
	can gateway.Abilities
	// embeds is the same for a model of embeddings.
	embeds gateway.Abilities
	// bills is what a cut call costs unless the entry says otherwise. Source: routing
	// reference section 2.
	bills gateway.BillingHabit
	// events are the names of its server-sent events that come often.
	events []string
	// local: it runs on a machine of the operator's own, which queues what it cannot compute.
	local bool
	// boundsBodies: its 413 is about the bytes of a body, not the tokens of a prompt.
	boundsBodies bool
}

// kinds are those that there are, by name. Only register adds to it, before main begins.
var kinds = map[string]*kind{}

// register adds a kind. It is for the init function of the kind's file, as with drivers
// of database/sql; a second kind of a name is a fault of the program, which does not start.
func register(k kind) {
	if k.name == "" || k.adapter == nil {
		panic("providers: a kind needs a name and an adapter")
	}
	if kinds[k.name] != nil {
		panic(fmt.Sprintf("providers: the kind %q is declared twice", k.name))
	}
	if k.protocol.Maker == "" {
		k.protocol.Maker = k.name
	}
	for _, name := range k.events {
		eventNames[name] = name
	}
	kinds[k.name] = &k
}

// kindNames are those that providers.json may have.
func kindNames() []string { return slices.Sorted(maps.Keys(kinds)) }

// kindOf is the declaration of a kind; for a name that is none, one that claims nothing.
func kindOf(name string) *kind {
	if k := kinds[name]; k != nil {
		return k
	}
	return &kind{}
}

// protocolOf is the protocol of an entry's models.
func (e *Entry) protocolOf() gateway.Protocol {
	k := kindOf(e.Kind)
	p := k.protocol
	if k.adapt != nil {
		k.adapt(&p, &e.Quirks)
	}
	return p
}

// Local says whether the provider runs on a machine of the operator's own.
func (e *Entry) Local() bool { return kindOf(e.Kind).local || e.EnvHost != "" }
