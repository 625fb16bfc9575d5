package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"example.com/clock/internal/clock"

	"github.com/julienschmidt/httprouter"
)

func main() {
	router := httprouter.New()
	router.GET("/", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		fmt.Fprintln(w, "clock is running: ask /in/Europe/Berlin")
	})
	router.GET("/in/*place", func(w http.ResponseWriter, _ *http.Request, p httprouter.Params) {
		text, err := clock.In(strings.TrimPrefix(p.ByName("place"), "/"), time.Now())
		if err != nil {
			http.Error(w, "no such place", http.StatusNotFound)
			return
		}
		fmt.Fprintln(w, text)
	})

	server := &http.Server{Addr: ":8080", Handler: router, ReadHeaderTimeout: 5 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
