"""What listens: ePUAP's push calls and the health pages, on Starlette and uvicorn."""
