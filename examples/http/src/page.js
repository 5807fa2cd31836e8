const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws");
socket.onopen = () => socket.send("hello");
socket.onmessage = (message) => { document.getElementById("answer").textContent = message.data; };
