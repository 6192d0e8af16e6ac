package gateway

// Model is one model of one provider: what it can do and what it costs. Values are
// made when the configuration is read and never change afterwards, so they are shared.
type Model struct {
	Provider string // the entry's name in providers.json: "deepseek"
	Name     string // as sent on the wire: "deepseek-flash"
	Kind     string // the adapter, as providers.json names it; for people, never to be told apart by
	Protocol Protocol
	Tariff   *Tariff // nil: the price is not known

	Context   int // window in tokens; 0: not known
	MaxOutput int // most tokens of one answer; 0: not known

	Can   Abilities
	Bills BillingHabit
	// Region is where it processes what it is sent, in the operator's own words; "" is unknown.
	Region string

	// Upstream says how the model is asked for an answer.
	Upstream StreamChoice
	// ReasoningBack says that the model must be given back its reasoning of earlier turns.
	ReasoningBack bool
	// Dimensions of an embedding model's vectors; 0: not known.
	Dimensions int
}

// Abilities is what a model can take. The walk skips a model that lacks what a request needs.
type Abilities struct {
	Chat       bool
	Embeddings bool
	Tools      bool
	ToolForce  bool // tool_choice required or a named function can be made to hold
	JSONMode   bool // response_format json_object, natively or by instruction
	JSONSchema bool // response_format json_schema, natively or as an instruction
	StrictJSON bool // json_schema with strict: true is really enforced
	ImageURL   bool // images by http(s) URL
	ImageData  bool // images as data: URLs
	Audio      bool // input_audio parts
	Files      bool // file parts
	Many       bool // n > 1
	Logprobs   bool
	Prefill    bool // a final assistant message is continued (stream_failure: continue)
	TokenInput bool // embeddings of token arrays
}

// StreamChoice is stream_upstream: whether a provider is asked for a stream.
type StreamChoice uint8

const (
	StreamAuto   StreamChoice = iota // for a client that does not stream a short answer, and one in its own format: no; else yes
	StreamAlways                     // so that a stall in the middle of any answer is seen
	StreamNever                      // the model is better asked for a whole answer
)

// BillingHabit is what a provider charges for a call that we cut.
type BillingHabit uint8

const (
	BillsInFull  BillingHabit = iota // goes on generating and bills the whole answer; also the habit of the unknown
	BillsSeen                        // stops, and bills the prompt and what was generated so far
	BillsNothing                     // a local server: free
)

// Needs is what a request asks of a model beyond plain text.
type Needs struct {
	Embeddings bool
	Tools      bool
	ToolForce  bool
	JSONMode   bool
	JSONSchema bool
	StrictJSON bool
	ImageURL   bool
	ImageData  bool
	Audio      bool
	Files      bool
	Many       bool
	Logprobs   bool
	TokenInput bool

	// Native is set if only a provider that takes bodies of this format as they are can
	// serve the request. NativeFor says why, for the client to read.
	Native    Wire
	NativeFor string
}

// Lacks names the first need that the model cannot meet, "" if it meets all.
func (m *Model) Lacks(n Needs) string {
	if n.Native != "" && m.Protocol.Wire != n.Native {
		return n.NativeFor
	}
	return m.Can.Lacks(n)
}

// Lacks names the first need that a model with these abilities cannot meet, "" if it meets all.
func (a Abilities) Lacks(n Needs) string {
	for _, c := range [...]struct {
		need, can bool
		word      string
	}{
		{!n.Embeddings, a.Chat, "chat"},
		{n.Embeddings, a.Embeddings, "embeddings"},
		{n.Tools, a.Tools, "tools"},
		{n.ToolForce, a.ToolForce, "a forced tool choice"},
		{n.JSONMode, a.JSONMode, "JSON mode"},
		{n.JSONSchema, a.JSONSchema, "JSON schema"},
		{n.StrictJSON, a.StrictJSON, "a strict JSON schema"},
		{n.ImageURL, a.ImageURL, "images by URL"},
		{n.ImageData, a.ImageData, "images"},
		{n.Audio, a.Audio, "audio"},
		{n.Files, a.Files, "files"},
		{n.Many, a.Many, "n > 1"},
		{n.Logprobs, a.Logprobs, "logprobs"},
		{n.TokenInput, a.TokenInput, "token arrays as input"},
	} {
		if c.need && !c.can {
			return c.word
		}
	}
	return ""
}
