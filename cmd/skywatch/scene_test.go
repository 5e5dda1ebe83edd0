// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"skywatch/internal/probetest"
)

// patience is how long a script waits for something that must happen; it is no measure of speed.
const patience = 2 * time.Minute

type sceneKeyType struct{}

var sceneKey sceneKeyType

// scene is the world of one script: two web servers whose status can be set, and a mail server that can be away.
type scene struct {
	web, other website // the other redirects as long as nothing else is set
	mail       *mailServer
}

// website is a web server.
type website struct {
	*httptest.Server
	status atomic.Int64
}

func (s *website) start(status int) {
	s.status.Store(int64(status))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(s.status.Load()))
		fmt.Fprintln(w, "here I am")
	}))
}

func newScene(env *testscript.Env) *scene {
	s := &scene{mail: newMailServer()}
	s.web.start(http.StatusOK)
	s.other.start(http.StatusMovedPermanently)
	env.Setenv("WEB", s.web.URL)
	env.Setenv("OTHER", s.other.URL)
	env.Setenv("SMTP", "127.0.0.1:"+strconv.Itoa(s.mail.port))
	env.Setenv("LATER", time.Now().UTC().Add(12*time.Hour).Format("15:04")) // when no daily summary comes into a script
	env.Defer(s.web.Close)
	env.Defer(s.other.Close)
	env.Defer(s.mail.leave)
	return s
}

// commands are those of the scripts beside testscript's own.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"freeport": freePort,
	"expand":   expandFiles,
	"get":      func(ts *testscript.TestScript, neg bool, args []string) { fetch(ts, http.MethodGet, neg, args) },
	"post":     func(ts *testscript.TestScript, neg bool, args []string) { fetch(ts, http.MethodPost, neg, args) },
	"answer":   showAnswer,
	"listens":  waitListening,
	"tells":    waitTelling,
	"signal":   sendSignal,
	"web":      setStatus,
	"smtp":     setMail,
	"mails":    wantMails,
	"threaded": wantThread,
}

func theScene(ts *testscript.TestScript) *scene { return ts.Value(sceneKey).(*scene) }

// freePort NAME... sets variables to ports nobody listens on.
func freePort(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		ts.Setenv(name, strconv.Itoa(probetest.HoldPort()))
	}
}

// expandFiles FILE... replaces $NAME by variables in files.
func expandFiles(ts *testscript.TestScript, _ bool, files []string) {
	for _, file := range files {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

// fetch [-until REGEXP] URL prints an answer; it waits until the server answers 200 (with ! not 200), and its text matches.
func fetch(ts *testscript.TestScript, method string, neg bool, args []string) {
	until := regexp.MustCompile("")
	if len(args) == 3 && args[0] == "-until" {
		until, args = regexp.MustCompile("(?m)"+args[1]), args[2:]
	}
	if len(args) != 1 {
		ts.Fatalf("usage: [!] get [-until REGEXP] URL")
	}
	var last string
	eventually(ts, func() bool {
		status, body, err := request(method, args[0])
		last = fmt.Sprint(status, " ", err, "\n", body)
		if err != nil || (status == http.StatusOK) == neg || !until.MatchString(body) {
			return false
		}
		io.WriteString(ts.Stdout(), body)
		return true
	}, func() string { return method + " " + args[0] + " gave " + last })
}

// showAnswer URL prints the status of one request with where it redirects to, or else its content type, and then the text.
func showAnswer(ts *testscript.TestScript, _ bool, args []string) {
	response, err := http.DefaultTransport.RoundTrip(newRequest(ts, args[0]))
	ts.Check(err)
	defer response.Body.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), response.StatusCode, cmp.Or(response.Header.Get("Location"), response.Header.Get("Content-Type")))
	ts.Stdout().Write(body)
}

func newRequest(ts *testscript.TestScript, url string) *http.Request {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	ts.Check(err)
	return r
}

func request(method, url string) (int, string, error) {
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		return 0, "", err
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// eventually looks again and again until ok holds.
func eventually(ts *testscript.TestScript, ok func() bool, why func() string) {
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited %s in vain: %s", patience, why())
		}
	}
}

// waitListening SOCKET waits until somebody answers on a socket, which the daemon opens at the same time as it begins to check.
func waitListening(ts *testscript.TestScript, _ bool, args []string) {
	var err error
	eventually(ts, func() bool {
		var c net.Conn
		if c, err = net.Dial("unix", ts.MkAbs(args[0])); err == nil {
			c.Close()
		}
		return err == nil
	}, func() string { return err.Error() })
}

// waitTelling REGEXP COMMAND... runs a command until it succeeds and its output matches, since it gives up where the history takes its time.
func waitTelling(ts *testscript.TestScript, _ bool, args []string) {
	told := regexp.MustCompile(args[0])
	eventually(ts, func() bool {
		err := ts.Exec(args[1], args[2:]...)
		return err == nil && told.MatchString(ts.ReadFile("stdout"))
	}, func() string { return ts.ReadFile("stdout") + ts.ReadFile("stderr") })
}

// sendSignal TERM|HUP|INT sends a signal to the programs in the background.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "INT": syscall.SIGINT}
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(signals[args[0]]))
	}
}

// setStatus [-other] CODE makes the web server, or the other one, answer with it.
func setStatus(ts *testscript.TestScript, _ bool, args []string) {
	server := &theScene(ts).web
	if args[0] == "-other" {
		server, args = &theScene(ts).other, args[1:]
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	server.status.Store(int64(code))
}

// setMail leaves|comes takes the mail server away or back.
func setMail(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "leaves" {
		theScene(ts).mail.leave()
	} else {
		ts.Check(theScene(ts).mail.come())
	}
}

// wantMails [-copies] N waits for N mails, writes them to mail/1.eml and so on, and fails if there are more. With -copies a mail may have
// come twice under the same Message-ID: that is allowed when the daemon was killed after the server took it and before it noted that.
func wantMails(ts *testscript.TestScript, _ bool, args []string) {
	copies := args[0] == "-copies"
	want, err := strconv.Atoi(args[len(args)-1])
	ts.Check(err)
	var mails []string
	eventually(ts, func() bool {
		mails = theScene(ts).mail.received()
		if copies {
			mails = distinct(mails)
		}
		return len(mails) >= want
	}, func() string { return fmt.Sprintf("%d mails, want %d", len(mails), want) })
	if len(mails) > want {
		ts.Fatalf("%d mails, want %d:\n%s", len(mails), want, mails)
	}
	for i, text := range mails {
		ts.Check(os.WriteFile(ts.MkAbs(fmt.Sprintf("mail/%d.eml", i+1)), []byte(text), 0o600))
	}
}

// distinct leaves out copies under the same Message-ID.
func distinct(mails []string) (all []string) {
	seen := make(map[string]bool)
	for _, text := range mails {
		id := messageID.FindString(text)
		if !seen[id] {
			all = append(all, text)
		}
		seen[id] = true
	}
	return all
}

var messageID = regexp.MustCompile(`(?m)^Message-I[dD]: (<.+>)\s*$`)

// wantThread FIRST SECOND fails unless the second mail answers the first.
func wantThread(ts *testscript.TestScript, _ bool, args []string) {
	first := messageID.FindStringSubmatch(ts.ReadFile("mail/" + args[0] + ".eml"))
	second := ts.ReadFile("mail/" + args[1] + ".eml")
	if first == nil {
		ts.Fatalf("mail %s has no Message-ID", args[0])
	}
	for _, header := range []string{"In-Reply-To", "References"} {
		if !regexp.MustCompile(`(?m)^` + header + `: .*` + regexp.QuoteMeta(first[1])).MatchString(second) {
			ts.Fatalf("mail %s has no %s: %s, want that", args[1], header, first[1])
		}
	}
}
