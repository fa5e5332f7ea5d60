"""The experiment on mixed loads: users create chats, write, turn pages and catch up, all in one run."""
