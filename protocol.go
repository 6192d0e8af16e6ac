package gateway

// Wire names the format of a body: "openai_chat" is one. A format that clients speak is named in
// its file in package api; a kind of provider that takes such bodies and gives such
// answers says so in its file in package providers. "" is none.
type Wire string

// Protocol is what everybody else must know of the way in which a model is asked. Each kind
// of provider declares its own, in its file in package providers; nobody tells kinds apart
// by their names. The zero Protocol is one of which nothing particular is known.
type Protocol struct {
	// Wire is the clients' format whose bodies go to the provider as they came, and in
	// which its events and whole answers come back; "" for none.
	Wire Wire
	// Verbatim: all of such a body and of a whole answer is between client and provider, who
	// get each other's bytes. The adapter documents what it must change all the same.
	Verbatim bool

	// Maker is what the provider's opaque state is called (see Thinking).
	Maker string
	// Unsigned: it signs no reasoning. One that wants it back (Model.ReasoningBack) takes
	// the bare text; the others are none the worse without.
	Unsigned bool

	// Hides: of a model that thinks, nothing or a summary is shown.
	Hides bool
	// Prepaid: priority is capacity that was paid for before, and not dearer than the list.
	Prepaid bool
	// ImageTokens is the most that one image comes to after the provider's own scaling,
	// rounded up; 0: nothing says.
	ImageTokens int
}

// Relays says whether the provider takes a request's body as the client wrote it.
func (p *Protocol) Relays(r *Request) bool { return p.Wire != "" && p.Wire == r.Wire }

// Passes says whether a request and the provider are a pair between which bodies and whole
// answers pass as they are.
func (p *Protocol) Passes(r *Request) bool { return p.Verbatim && p.Relays(r) }
