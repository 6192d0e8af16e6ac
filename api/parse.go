package api

import (
	"unsafe"

	"github.com/tidwall/gjson"
)

// parseInPlace reads a request's body where it lies. Its bytes never change, and what is
// decoded from it lives no longer than it does; a copy would be a second body of up to the
// limit for each request that is translated, or whose cut attempts are counted.
func parseInPlace(raw []byte) gjson.Result {
	return gjson.Parse(unsafe.String(unsafe.SliceData(raw), len(raw)))
}
