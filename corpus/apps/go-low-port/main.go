package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"gopkg.in/yaml.v3"
)

const config = `
/docs: https://docs.example.com/
/blog: https://blog.example.com/
`

func main() {
	targets := map[string]string{}
	if err := yaml.NewDecoder(strings.NewReader(config)).Decode(&targets); err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	for path, target := range targets {
		mux.Handle(path, http.RedirectHandler(target, http.StatusFound))
	}
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("redirector is running\n"))
	})

	server := &http.Server{Addr: ":80", Handler: mux}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.Background())
	}()
	log.Println("listening on port 80")
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
