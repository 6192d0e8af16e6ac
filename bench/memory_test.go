package main

import (
	"net"
	"testing"
	"time"
)

// A stream that has ended is told from one that waits, also behind bytes that nobody read.
func TestEndedStreamIsTold(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, over := range []bool{false, true} {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		server.Write([]byte(": a comment\n\n"))
		conn.SetReadDeadline(time.Now().Add(-time.Second))
		if over {
			server.Close()
			for end := time.Now().Add(5 * time.Second); !ended(conn) && time.Now().Before(end); time.Sleep(time.Millisecond) {
			}
		}
		if got := ended(conn); got != over {
			t.Errorf("closed %v: told as %v", over, got)
		}
	}
}
