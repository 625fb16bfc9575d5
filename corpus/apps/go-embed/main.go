package main

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/julienschmidt/httprouter"
)

//go:embed web
var files embed.FS

//go:embed version.txt
var version string

func main() {
	site, err := fs.Sub(files, "web")
	if err != nil {
		log.Fatal(err)
	}

	router := httprouter.New()
	router.GET("/version", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		_, _ = w.Write([]byte(version))
	})
	router.NotFound = http.FileServerFS(site)

	server := &http.Server{Addr: ":" + os.Getenv("PORT"), Handler: router}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
