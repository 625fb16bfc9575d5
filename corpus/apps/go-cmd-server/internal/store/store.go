// Package store keeps notes in memory.
package store

import (
	"errors"
	"io"
	"sync"

	"github.com/google/uuid"
)

const limit = 64 << 10

// Notes is safe for use by several goroutines.
type Notes struct {
	mu   sync.RWMutex
	text map[string]string
}

// New returns an empty store.
func New() *Notes {
	return &Notes{text: map[string]string{}}
}

// Add reads a note and returns its id.
func (n *Notes) Add(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit))
	if err != nil {
		return "", err
	}
	if len(data) == 0 {
		return "", errors.New("a note needs text")
	}
	id := uuid.NewString()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text[id] = string(data)
	return id, nil
}

// Get returns the note with the given id.
func (n *Notes) Get(id string) (string, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	text, ok := n.text[id]
	return text, ok
}
