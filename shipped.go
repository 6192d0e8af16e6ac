package gateway

import _ "embed"

// ShippedProviders is the providers.json that the program uses when it is given none.
//
//go:embed providers.json
var ShippedProviders []byte
