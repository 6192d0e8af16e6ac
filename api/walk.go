package api

import "strings"

// These pass over JSON that was found valid before. They build nothing, and find the end
// of a string by its quote, which the processor does for many bytes at a time.

// eachElement calls f with the text of each element of an array until it returns false.
func eachElement(list string, f func(v string) bool) {
	for i := pastSpace(list, 1); i < len(list) && list[i] != ']'; {
		end := pastValue(list, i)
		if !f(list[i:end]) {
			return
		}
		i = pastComma(list, end)
	}
}

// eachMember calls f with each name, as it is written between its quotes, and the text
// of its value until it returns false.
func eachMember(object string, f func(name, v string) bool) {
	for i := pastSpace(object, 1); i < len(object) && object[i] != '}'; {
		end := pastString(object, i)
		name := object[i+1 : end-1]
		i = pastSpace(object, pastSpace(object, end)+1) // over the colon
		end = pastValue(object, i)
		if !f(name, object[i:end]) {
			return
		}
		i = pastComma(object, end)
	}
}

func pastSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

func pastComma(s string, i int) int {
	if i = pastSpace(s, i); i < len(s) && s[i] == ',' {
		i = pastSpace(s, i+1)
	}
	return i
}

// pastString is the place after the string that begins at i.
func pastString(s string, i int) int {
	for i++; i < len(s); i++ {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			break
		}
		i += n
		slashes := 0
		for s[i-1-slashes] == '\\' { // ends at the opening quote at the latest
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
	return len(s)
}

// pastValue is the place after the value that begins at i.
func pastValue(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch s[i] {
		case '"':
			i = pastString(s, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		default:
			if depth > 0 {
				i++
				continue
			}
			for i < len(s) && strings.IndexByte(",]} \n\r\t", s[i]) < 0 {
				i++
			}
		}
		if depth <= 0 {
			return i
		}
	}
	return len(s)
}
