// Package engines plays what the box recorded in browsers other than chromium:
// Debian's Firefox, and WebKitGTK, whose engine Safari is made from. What a
// shop's tablet runs is not ours to choose.
//
// Firefox is driven by its own Marionette protocol, WebKit by the W3C WebDriver
// protocol; both are JSON over loopback.
package engines
