package gateway

// EscapedToolID begins the id of a tool call as clients of Anthropic's format get it when
// the id that its maker gave does not fit that format. What follows tells the maker's.
const EscapedToolID = "gw1_"

// MaxClaudeToolID is how many characters of an id Anthropic surely takes. Source: wire
// reference section 5.3.
const MaxClaudeToolID = 64
