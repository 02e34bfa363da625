package main

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// cable is a connection to a server that can be cut and mended: an outage that
// only the service sees.
type cable struct {
	listener net.Listener

	mu     sync.Mutex
	target string
	down   bool
	ends   map[net.Conn]bool
}

// newCable puts a cable before the server that the address names and returns the
// address to use instead.
func newCable(t testing.TB, address string) (*cable, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{target: u.Host, ends: make(map[net.Conn]bool)}
	if c.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	go c.serve()
	t.Cleanup(func() { _ = c.listener.Close(); c.cut() })
	u.Host = c.listener.Addr().String()
	return c, u.String()
}

func (c *cable) serve() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		target := c.target
		c.mu.Unlock()
		far, err := net.Dial("tcp", target)
		if err != nil || !c.keep(near, far) {
			_ = near.Close()
			if far != nil {
				_ = far.Close()
			}
			continue
		}
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			go func() {
				_, _ = io.Copy(way[0], way[1]) // the end of either is the end of both
				c.drop(near, far)
			}()
		}
	}
}

func (c *cable) keep(ends ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range ends {
		c.ends[e] = true
	}
	if c.down {
		for _, e := range ends {
			delete(c.ends, e)
		}
	}
	return !c.down
}

func (c *cable) drop(ends ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range ends {
		delete(c.ends, e)
		_ = e.Close()
	}
}

// cut breaks every connection and refuses new ones.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = true
	for e := range c.ends {
		_ = e.Close()
	}
}

// mend lets connections through again.
func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = false
}

// to leads new connections to another server.
func (c *cable) to(target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = target
}
